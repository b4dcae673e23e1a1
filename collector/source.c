/*
 * Source text. The path comes from the traced process: it is opened without blocking, inside the
 * process's own root, and only a regular file of modest size is read.
 */
#include "source.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <zstd.h>

#define OPEN_FLAGS (O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC)

static int open_in_root(int root, const char *path)
{
    struct open_how how = {.flags = OPEN_FLAGS, .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS};
    if (root < 0)
        return open(path, OPEN_FLAGS);
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

static void *pack(const char *text, size_t bytes, size_t *packed_bytes)
{
    size_t room = ZSTD_compressBound(bytes);
    void *packed = malloc(room);
    *packed_bytes = packed ? ZSTD_compress(packed, room, text, bytes, 1) : 0;
    if (packed && !ZSTD_isError(*packed_bytes))
        return packed;
    free(packed);
    return NULL;
}

void *source_read(int root, const char *path, size_t *packed_bytes, size_t *bytes)
{
    if (*path != '/')
        return NULL;
    int file = open_in_root(root, path);
    if (file < 0)
        return NULL;
    struct stat status;
    void *packed = NULL;
    if (fstat(file, &status) == 0 && S_ISREG(status.st_mode) && status.st_size >= 0 &&
        (size_t)status.st_size <= SOURCE_BYTES_MAX) {
        char *text = malloc((size_t)status.st_size + 1);
        *bytes = text ? read_all(file, text, (size_t)status.st_size) : 0;
        if (text)
            packed = pack(text, *bytes, packed_bytes);
        free(text);
    }
    close(file);
    return packed;
}
