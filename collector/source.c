/*
 * Source text, compressed.
 */
#include "source.h"

#include <stdlib.h>
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

void *source_read(int root, const char *path, size_t *packed_bytes, size_t *bytes)
{
    char *text = root_file_read(root, path, SOURCE_BYTES_MAX, bytes);
    void *packed = text ? pack(text, *bytes, packed_bytes) : NULL;
    free(text);
    return packed;
}
