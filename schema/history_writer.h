/*
 * Collecting a process's events into chunks of history (history.h).
 *
 * Memory: 6.7 MB at most, of which a program that repeats itself touches a twentieth. When a chunk
 * is full (history_writer_is_full()) it must be finished before the next event. One thread.
 */
#ifndef HEAPLINE_SCHEMA_HISTORY_WRITER_H
#define HEAPLINE_SCHEMA_HISTORY_WRITER_H

#include "assertion.h"
#include "hash.h"
#include "history.h"
#include "varint.h"

#define HISTORY_SLOTS_MAX (2 * HISTORY_EVENTS_MAX)

/* A growing run of varints. */
struct history_bytes {
    uint8_t *data;
    size_t used;
};

/* How many blocks of a pair lived how long: by age, then by time. */
struct history_classes {
    int32_t counts[2 * LIFETIME_CLASSES];
};

struct history_writer {
    struct history_span span;
    uint64_t now_us; /* of the next event; see history_writer_set_time() */
    uint32_t now_ms;
    uint32_t events_most; /* of the chunk; it is full then */
    bool is_marked;       /* the latest mark's time is that of the next event */
    uint32_t allocations;
    uint32_t pair_count, exception_count, mark_count;
    uint32_t marked_event, marked_block;
    uint64_t marked_us;
    int64_t exception_distance;
    struct history_pair *pairs;
    struct history_classes *classes; /* by pair */
    uint16_t *pair_of;               /* by block of the chunk */
    uint32_t *slots;                 /* hash table: pair + 1, 0: free */
    uint32_t slot_mask;              /* it grows in its place */
    uint32_t slots_clear;            /* of the memory: beyond it is as malloc() gave it */
    struct hash_seed seed;           /* of the table */
    uint32_t *slot_of;               /* by pair */
    struct history_bytes marks, events, exceptions;
};

/* False when memory is short; deinit is allowed in either case. */
bool history_writer_init(struct history_writer *writer);
void history_writer_deinit(struct history_writer *writer);

/* Between two chunks: gives the memory's pages back until there are events again. */
void history_writer_rest(struct history_writer *writer);

/* A finished chunk, its frames one behind the other in memory that is the caller's to free. */
struct history_chunk {
    struct history_span span;
    size_t summary_size, events_size, lifetimes_size;
    uint8_t data[]; /* summary, events, lifetimes */
};

/* Compresses what has been collected and begins the next chunk. Null when memory is short or there
 * is nothing; the events are then still there. */
struct history_chunk *history_writer_finish(struct history_writer *writer, struct packer *packer);

/* --- the hot part --- */

/* What the clock shows from the next event on. */
static inline void history_writer_set_time(struct history_writer *writer, uint64_t now_us)
{
    writer->is_marked &= now_us == writer->now_us;
    writer->now_us = now_us;
    writer->now_ms = (uint32_t)(now_us / 1000);
}

static inline bool history_writer_is_full(const struct history_writer *writer)
{
    return writer->span.events == writer->events_most;
}

static inline void history_put(struct history_bytes *bytes, uint64_t value)
{
    bytes->used = (size_t)(varint_put(bytes->data + bytes->used, value) - bytes->data);
}

/* Marks the time of the next event, which is not the latest mark's, or the chunk's first. */
void history_mark(struct history_writer *writer);

/* Counts an event. Before an allocation is counted. */
static inline void history_count_event(struct history_writer *writer)
{
    ASSERT(!history_writer_is_full(writer));
    if (__builtin_expect(!writer->is_marked, 0))
        history_mark(writer);
    writer->span.events++;
}

static inline uint32_t history_slot(const struct history_writer *writer, uint32_t counter,
                                    uint64_t size)
{
    return (uint32_t)hash_number(&writer->seed, (uint64_t)counter << 32 ^ size) & writer->slot_mask;
}

/* Makes the pair, whose place is the free slot. */
uint32_t history_new_pair(struct history_writer *writer, uint32_t counter, uint64_t size,
                          uint32_t slot);

static inline bool history_pair_is(const struct history_writer *writer, uint32_t number,
                                   uint32_t counter, uint64_t size)
{
    const struct history_pair *pair = &writer->pairs[number];
    return pair->counter == counter && pair->size == size;
}

/* The pair's number in the chunk at hand, made when new: an event that has it must follow. */
static inline uint32_t history_pair(struct history_writer *writer, uint32_t counter, uint64_t size)
{
    ASSERT(counter >= 1 && size < HISTORY_SIZE_MAX);
    uint32_t slot = history_slot(writer, counter, size), number;
    for (; (number = writer->slots[slot]); slot = (slot + 1) & writer->slot_mask) {
        if (history_pair_is(writer, number - 1, counter, size))
            return number - 1;
    }
    return history_new_pair(writer, counter, size, slot);
}

/* The process's next block, of this pair. */
static inline void history_allocate(struct history_writer *writer, uint32_t pair)
{
    ASSERT(pair < writer->pair_count);
    history_count_event(writer);
    writer->pairs[pair].allocations++;
    writer->pair_of[writer->allocations++] = (uint16_t)pair;
    history_put(&writer->events, (uint64_t)pair << 1);
}

/* An event that the chunk's own blocks do not explain. */
static inline void history_except(struct history_writer *writer, uint64_t block, uint32_t pair,
                                  bool restored)
{
    int64_t distance = (int64_t)(writer->span.first_block - block);
    history_put(&writer->exceptions, (uint64_t)zigzag(distance - writer->exception_distance));
    history_put(&writer->exceptions, (uint64_t)pair << 1 | restored);
    writer->exception_distance = distance;
    writer->exception_count++;
    history_put(&writer->events, 1);
}

/* A block of the pair dies, or its death is taken back. */
static inline void history_count_death(struct history_writer *writer, uint32_t pair,
                                       struct lifetime lifetime, int32_t deaths)
{
    int32_t *counts = writer->classes[pair].counts;
    writer->pairs[pair].frees += deaths;
    counts[lifetime.age] += deaths;
    counts[LIFETIME_CLASSES + lifetime.time] += deaths;
}

/* `born_ms`: the writer's now_ms when the block was allocated. Returns how long it lived. */
static inline __attribute__((always_inline)) struct lifetime
history_free(struct history_writer *writer, uint64_t block, uint32_t counter, uint64_t size,
             uint32_t born_ms)
{
    uint64_t age = writer->span.first_block + writer->allocations - block;
    struct lifetime lifetime = lifetime_of(age, born_ms, writer->now_ms);
    /* A block is freed after it was allocated. */
    ASSERT(block < writer->span.first_block + writer->allocations);
    history_count_event(writer);
    if (__builtin_expect(age <= writer->allocations, 1)) {
        uint32_t place = writer->allocations - (uint32_t)age;
        history_count_death(writer, writer->pair_of[place], lifetime, 1);
        history_put(&writer->events, age << 1 | 1);
        return lifetime;
    }
    uint32_t pair = history_pair(writer, counter, size);
    history_count_death(writer, pair, lifetime, 1);
    history_except(writer, block, pair, false);
    return lifetime;
}

/* The block's free is taken back, wholly or for a part of it that has this size; `lifetime` is what
 * history_free() said. */
static inline void history_restore(struct history_writer *writer, uint64_t block, uint32_t counter,
                                   uint64_t size, struct lifetime lifetime)
{
    uint32_t pair = history_pair(writer, counter, size);
    uint64_t place = block - writer->span.first_block;
    if (place < writer->allocations)
        writer->pair_of[place] = pair;
    history_count_death(writer, pair, lifetime, -1);
    history_count_event(writer);
    history_except(writer, block, pair, true);
}

#endif
