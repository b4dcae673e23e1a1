/*
 * Source text, compressed.
 */
#include "source.h"

#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>
#include <zstd.h>

#include "root_file.h"

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

char *source_unpack(const void *packed, size_t packed_bytes, size_t bytes)
{
    char *text = packed ? malloc(bytes + 1) : NULL;
    if (text && ZSTD_decompress(text, bytes, packed, packed_bytes) == bytes)
        return text;
    free(text);
    return NULL;
}

static bool is_newer(int root, const char *path, const struct timespec *latest)
{
    struct stat status;
    int file = root_file_open(root, path, &status);
    if (file < 0)
        return false;
    close(file);
    return status.st_mtim.tv_sec > latest->tv_sec ||
           (status.st_mtim.tv_sec == latest->tv_sec && status.st_mtim.tv_nsec > latest->tv_nsec);
}

void *source_read(int root, const char *path, const struct timespec *latest, size_t *packed_bytes,
                  size_t *bytes)
{
    if (latest && is_newer(root, path, latest))
        return NULL;
    char *text = root_file_read(root, path, SOURCE_BYTES_MAX, bytes);
    void *packed = text ? pack(text, *bytes, packed_bytes) : NULL;
    free(text);
    return packed;
}
