/*
 * Variable-length integers: seven bits a byte, lowest first, bit 7 set on all but the last.
 * Signed values are zigzag-coded. At most ten bytes. No state, any thread.
 */
#ifndef HEAPLINE_SCHEMA_VARINT_H
#define HEAPLINE_SCHEMA_VARINT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define VARINT_BYTES_MAX 10u

/* Writes `value` at `out`, which has room for VARINT_BYTES_MAX bytes; returns the position after
 * it. */
static inline uint8_t *varint_put(uint8_t *out, uint64_t value)
{
    /* One byte or two, as nearly all are: which is not to be guessed. */
    if (value < 1u << 14) {
        unsigned more = value >= 0x80;
        out[0] = (uint8_t)((value & 0x7f) | more << 7);
        out[1] = (uint8_t)(value >> 7);
        return out + 1 + more;
    }
    while (value >= 0x80) {
        *out++ = (uint8_t)(value | 0x80);
        value >>= 7;
    }
    *out++ = (uint8_t)value;
    return out;
}

/* Reads a value from [*in, end). False, *in unchanged, when it is cut short or does not fit. */
static inline bool varint_get(const uint8_t **in, const uint8_t *end, uint64_t *value)
{
    uint64_t result = 0;
    unsigned shift = 0;
    for (const uint8_t *at = *in; at < end && shift < 64; at++, shift += 7) {
        uint64_t part = *at & 0x7f;
        if (shift == 63 && part > 1)
            return false;
        result |= part << shift;
        if (!(*at & 0x80)) {
            *in = at + 1;
            *value = result;
            return true;
        }
    }
    return false;
}

static inline uint64_t zigzag(int64_t value)
{
    return (uint64_t)value << 1 ^ (uint64_t)(value >> 63);
}

static inline int64_t unzigzag(uint64_t value)
{
    return (int64_t)(value >> 1) ^ -(int64_t)(value & 1);
}

#endif
