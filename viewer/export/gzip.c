/*
 * Compressing with zlib, at its fastest: stacks repeat themselves so much that more effort gains
 * little.
 */
#include "viewer/export/gzip.h"

#include <limits.h>
#include <stdint.h>

#include "viewer/base/memory.h"

/* For deflateInit2(): the largest window, and a gzip header around it. */
#define WINDOW_BITS  (15 + 16)
#define MEMORY_LEVEL 8

void gzip_init(struct gzip *gzip, FILE *stream)
{
    *gzip = (struct gzip){.stream = stream};
    if (deflateInit2(&gzip->deflater, Z_BEST_SPEED, Z_DEFLATED, WINDOW_BITS, MEMORY_LEVEL,
                     Z_DEFAULT_STRATEGY) != Z_OK)
        memory_none();
}

/* Until there is room left over: then it has taken all that it got. */
static void deflate_all(struct gzip *gzip, int flush)
{
    z_stream *deflater = &gzip->deflater;
    do {
        deflater->next_out = gzip->buffer;
        deflater->avail_out = sizeof gzip->buffer;
        deflate(deflater, flush);
        fwrite(gzip->buffer, 1, sizeof gzip->buffer - deflater->avail_out, gzip->stream);
    } while (deflater->avail_out == 0);
}

void gzip_write(struct gzip *gzip, const void *bytes, size_t size)
{
    for (const unsigned char *at = bytes; size;) {
        size_t part = size < UINT_MAX ? size : UINT_MAX;
        gzip->deflater.next_in = (unsigned char *)(uintptr_t)at;
        gzip->deflater.avail_in = (uInt)part;
        deflate_all(gzip, Z_NO_FLUSH);
        at += part;
        size -= part;
    }
}

void gzip_finish(struct gzip *gzip)
{
    gzip->deflater.avail_in = 0;
    deflate_all(gzip, Z_FINISH);
    deflateEnd(&gzip->deflater);
}
