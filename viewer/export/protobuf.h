/*
 * Messages in the wire format of Protocol Buffers, built in memory.
 *
 * One thread. A zeroed struct is an empty message; it needs protobuf_deinit().
 */
#ifndef HEAPLINE_VIEWER_EXPORT_PROTOBUF_H
#define HEAPLINE_VIEWER_EXPORT_PROTOBUF_H

#include <stddef.h>
#include <stdint.h>

struct protobuf {
    uint8_t *bytes;
    size_t size, capacity;
};

void protobuf_deinit(struct protobuf *message);

/* Empties it for the next one. */
void protobuf_clear(struct protobuf *message);

/* A field of a number (int64, uint64, bool); 0, the default, is left out. */
void protobuf_number(struct protobuf *message, uint32_t field, uint64_t number);

/* A field of a string, which must be UTF-8, or of another message. */
void protobuf_text(struct protobuf *message, uint32_t field, const char *text);
void protobuf_message(struct protobuf *message, uint32_t field, const struct protobuf *inner);

/* A repeated field of numbers. */
void protobuf_numbers(struct protobuf *message, uint32_t field, const uint64_t *numbers,
                      size_t count);

#endif
