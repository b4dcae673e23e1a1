/*
 * A place in a process's ring from which a record is read.
 *
 * A record is read once its first word carries the current lap bit; then its continuation words are
 * there too, unless the writer is hostile. One thread.
 */
#ifndef HEAPLINE_COLLECTOR_CURSOR_H
#define HEAPLINE_COLLECTOR_CURSOR_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "collector/stream/process.h"
#include "wire.h"

/* One record at hand. */
struct cursor {
    struct run *run;
    struct process *process;
    uint64_t position; /* of the record's first word */
    uint64_t end;      /* where to stop */
    uint64_t until_ns; /* later times are left alone */
};

static inline uint64_t load_word(const struct process *process, uint64_t position)
{
    return atomic_load_explicit(&process->ring.words[position & process->ring.mask],
                                memory_order_acquire);
}

/* A continuation word's payload; false when the record is not whole. */
static inline bool read_continuation(const struct process *process, uint64_t position,
                                     uint64_t *payload)
{
    uint64_t word = load_word(process, position);
    *payload = word & WIRE_PAYLOAD_MASK;
    return (word & (WIRE_LAP_BIT | WIRE_FIRST_BIT)) ==
           wire_lap_bit(position, process->ring.log2_words);
}

/* Seven bytes a word, as in CODE and MODULE; false: not all words are there. */
static inline bool read_bytes(const struct cursor *cursor, uint64_t position, uint8_t *bytes,
                              size_t count)
{
    for (size_t at = 0; at < count; at += WIRE_BYTES_PER_WORD) {
        uint64_t payload;
        size_t left = count - at;
        if (!read_continuation(cursor->process, position++, &payload))
            return false;
        memcpy(bytes + at, &payload, left < WIRE_BYTES_PER_WORD ? left : WIRE_BYTES_PER_WORD);
    }
    return true;
}

/* The words that so many bytes take. */
static inline unsigned words_of(size_t bytes)
{
    return (unsigned)((bytes + WIRE_BYTES_PER_WORD - 1) / WIRE_BYTES_PER_WORD);
}

#endif
