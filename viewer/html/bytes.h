/*
 * A growing row of bytes, and how the page carries it: numbers as varints (varint.h), compressed
 * with deflate, written as base64.
 *
 * A zeroed struct is an empty run. One thread.
 */
#ifndef HEAPLINE_VIEWER_HTML_BYTES_H
#define HEAPLINE_VIEWER_HTML_BYTES_H

#include <stddef.h>
#include <stdint.h>

struct bytes {
    uint8_t *data; /* owned */
    size_t size, capacity;
};

void bytes_deinit(struct bytes *bytes);

void bytes_put(struct bytes *bytes, uint64_t number);
/* Zigzag-coded. */
void bytes_put_signed(struct bytes *bytes, int64_t number);
void bytes_put_text(struct bytes *bytes, const char *text, size_t size);

/* A zlib stream of what is in `plain`. */
void bytes_deflate(struct bytes *packed, const struct bytes *plain);

/* The same bytes in base64, NUL-terminated; the caller frees it. */
char *bytes_base64(const struct bytes *bytes);

#endif
