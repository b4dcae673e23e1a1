/*
 * Writing fields: a tag, which is the field's number and how it is written, and then a varint, or a
 * length and so many bytes.
 */
#include "viewer/export/protobuf.h"

#include <stdlib.h>
#include <string.h>

#include "viewer/base/memory.h"

#define VARINT_MAX 10u

enum wire_type {
    WIRE_TYPE_VARINT = 0,
    WIRE_TYPE_BYTES = 2,
};

void protobuf_deinit(struct protobuf *message)
{
    free(message->bytes);
}

void protobuf_clear(struct protobuf *message)
{
    message->size = 0;
}

static void message_reserve(struct protobuf *message, size_t more)
{
    if (message->size + more <= message->capacity)
        return;
    message->capacity = 2 * (message->size + more);
    message->bytes = memory_resize(message->bytes, message->capacity, 1);
}

static void put_varint(struct protobuf *message, uint64_t number)
{
    message_reserve(message, VARINT_MAX);
    for (; number > 127; number >>= 7)
        message->bytes[message->size++] = (uint8_t)(number | 128);
    message->bytes[message->size++] = (uint8_t)number;
}

static size_t varint_size(uint64_t number)
{
    size_t size = 1;
    for (; number > 127; number >>= 7)
        size++;
    return size;
}

static void put_tag(struct protobuf *message, uint32_t field, enum wire_type type)
{
    put_varint(message, (uint64_t)field << 3 | type);
}

static void put_bytes(struct protobuf *message, uint32_t field, const void *bytes, size_t size)
{
    put_tag(message, field, WIRE_TYPE_BYTES);
    put_varint(message, size);
    message_reserve(message, size);
    if (size)
        memcpy(message->bytes + message->size, bytes, size);
    message->size += size;
}

void protobuf_number(struct protobuf *message, uint32_t field, uint64_t number)
{
    if (!number)
        return;
    put_tag(message, field, WIRE_TYPE_VARINT);
    put_varint(message, number);
}

void protobuf_text(struct protobuf *message, uint32_t field, const char *text)
{
    put_bytes(message, field, text, strlen(text));
}

void protobuf_message(struct protobuf *message, uint32_t field, const struct protobuf *inner)
{
    put_bytes(message, field, inner->bytes, inner->size);
}

void protobuf_numbers(struct protobuf *message, uint32_t field, const uint64_t *numbers,
                      size_t count)
{
    size_t size = 0;
    for (size_t i = 0; i < count; i++)
        size += varint_size(numbers[i]);
    put_tag(message, field, WIRE_TYPE_BYTES);
    put_varint(message, size);
    for (size_t i = 0; i < count; i++)
        put_varint(message, numbers[i]);
}
