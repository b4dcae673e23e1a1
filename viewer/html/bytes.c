/*
 * Room is doubled as it is needed. The compression level is the one at which a page of the largest
 * size is made in a tenth of a second; higher ones take several times that for some per cent.
 */
#include "viewer/html/bytes.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "varint.h"
#include "viewer/base/memory.h"

#define COMPRESSION_LEVEL 5

void bytes_deinit(struct bytes *bytes)
{
    free(bytes->data);
    *bytes = (struct bytes){0};
}

static uint8_t *bytes_room(struct bytes *bytes, size_t size)
{
    if (bytes->capacity - bytes->size < size) {
        bytes->capacity = bytes->capacity * 2 + size + 64;
        bytes->data = memory_resize(bytes->data, bytes->capacity, 1);
    }
    return bytes->data + bytes->size;
}

void bytes_put(struct bytes *bytes, uint64_t number)
{
    uint8_t *end = varint_put(bytes_room(bytes, VARINT_BYTES_MAX), number);
    bytes->size = (size_t)(end - bytes->data);
}

void bytes_put_signed(struct bytes *bytes, int64_t number)
{
    bytes_put(bytes, zigzag(number));
}

void bytes_put_text(struct bytes *bytes, const char *text, size_t size)
{
    if (size)
        memcpy(bytes_room(bytes, size), text, size);
    bytes->size += size;
}

void bytes_deflate(struct bytes *packed, const struct bytes *plain)
{
    uLongf size = compressBound(plain->size);
    packed->size = 0;
    uint8_t *out = bytes_room(packed, size);
    /* The room is enough, so it can only be that there is no memory. */
    if (compress2(out, &size, plain->data, plain->size, COMPRESSION_LEVEL) != Z_OK)
        memory_none();
    packed->size = size;
}

char *bytes_base64(const struct bytes *bytes)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    char *text = memory_new((bytes->size + 2) / 3 * 4 + 1, 1), *out = text;
    for (size_t i = 0; i < bytes->size; i += 3) {
        size_t left = bytes->size - i;
        uint32_t group = (uint32_t)bytes->data[i] << 16;
        group |= left > 1 ? (uint32_t)bytes->data[i + 1] << 8 : 0;
        group |= left > 2 ? (uint32_t)bytes->data[i + 2] : 0;
        *out++ = digits[group >> 18];
        *out++ = digits[group >> 12 & 63];
        *out++ = left > 1 ? digits[group >> 6 & 63] : '=';
        *out++ = left > 2 ? digits[group & 63] : '=';
    }
    return text;
}
