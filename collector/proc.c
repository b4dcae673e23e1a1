/*
 * Reading files of /proc.
 */
#include "proc.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

int proc_open(pid_t pid, const char *name)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, name);
    return open(path, O_RDONLY | O_CLOEXEC);
}

size_t proc_read(pid_t pid, const char *name, char *data, size_t size)
{
    int file = proc_open(pid, name);
    ssize_t got = file < 0 ? -1 : read(file, data, size - 1);
    if (file >= 0)
        close(file);
    data[got > 0 ? got : 0] = 0;
    return got > 0 ? (size_t)got : 0;
}
