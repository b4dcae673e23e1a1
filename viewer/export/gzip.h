/*
 * What is written, compressed as gzip does it.
 *
 * One thread. Whether it has arrived the stream's owner asks the stream.
 */
#ifndef HEAPLINE_VIEWER_EXPORT_GZIP_H
#define HEAPLINE_VIEWER_EXPORT_GZIP_H

#include <stdio.h>
#include <zlib.h>

struct gzip {
    FILE *stream;
    z_stream deflater;
    unsigned char buffer[32768]; /* of what is compressed */
};

void gzip_init(struct gzip *gzip, FILE *stream);
void gzip_write(struct gzip *gzip, const void *bytes, size_t size);

/* Writes the end; the stream stays open. */
void gzip_finish(struct gzip *gzip);

#endif
