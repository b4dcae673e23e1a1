/*
 * Opening inside another root: openat2() resolves the whole path there, links too.
 */
#include "root_file.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define OPEN_FLAGS (O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC)

static int open_in_root(int root, const char *path, int flags)
{
    struct open_how how = {.flags = (unsigned)(OPEN_FLAGS | flags),
                           .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS};
    if (*path != '/' || root == ROOT_NONE)
        return -1;
    if (root == ROOT_HOST)
        return open(path, OPEN_FLAGS | flags);
    return (int)syscall(SYS_openat2, root, path, &how, sizeof how);
}

static size_t read_all(int file, char *text, size_t size)
{
    size_t have = 0;
    ssize_t got;
    while (have < size && (got = read(file, text + have, size - have)) > 0)
        have += (size_t)got;
    return have;
}

char *root_file_read(int root, const char *path, size_t most, size_t *bytes)
{
    int file = open_in_root(root, path, 0);
    if (file < 0)
        return NULL;
    struct stat status;
    char *text = NULL;
    if (fstat(file, &status) == 0 && S_ISREG(status.st_mode) && status.st_size >= 0 &&
        (size_t)status.st_size <= most)
        text = malloc((size_t)status.st_size + 1);
    if (text) {
        *bytes = read_all(file, text, (size_t)status.st_size);
        text[*bytes] = 0;
    }
    close(file);
    return text;
}

DIR *root_folder_open(int root, const char *path)
{
    int folder = open_in_root(root, path, O_DIRECTORY);
    DIR *stream = folder < 0 ? NULL : fdopendir(folder);
    if (!stream && folder >= 0)
        close(folder);
    return stream;
}
