/*
 * Reading files of /proc.
 */
#include "collector/system/proc.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Numbers of fields, as proc_pid_stat(5) counts them. */
enum { STAT_NAME = 2, STAT_STATE = 3, STAT_PARENT = 4, STAT_ARGUMENTS = 48, STAT_EXIT_CODE = 52 };

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

static void take_field(struct proc_stat *stat, unsigned number, const char *text)
{
    if (number == STAT_STATE)
        stat->state = *text;
    else if (number == STAT_PARENT)
        stat->parent = (pid_t)strtol(text, NULL, 10);
    else if (number == STAT_ARGUMENTS)
        stat->arguments = strtoul(text, NULL, 10);
    else if (number == STAT_EXIT_CODE)
        stat->exit_code = (int)strtol(text, NULL, 10);
}

bool proc_read_stat(pid_t pid, struct proc_stat *stat)
{
    char text[1024];
    proc_read(pid, "stat", text, sizeof text);
    struct proc_stat found = {0};
    /* "pid (name) state parent": the name may hold anything. */
    const char *field = strrchr(text, ')');
    unsigned number = STAT_NAME;
    for (; field && number < STAT_EXIT_CODE; number++) {
        field = strchr(field, ' ');
        if (field)
            take_field(&found, number + 1, ++field);
    }
    *stat = field ? found : (struct proc_stat){0};
    return field;
}

uint64_t proc_resident(pid_t pid)
{
    char text[128];
    unsigned long long pages = 0;
    if (proc_read(pid, "statm", text, sizeof text))
        sscanf(text, "%*u %llu", &pages);
    return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}
