/*
 * The counters that were looked up last, with their pairs in the chunk of history at hand: most
 * allocations are of a kind that has just been seen, and are found here by one comparison instead
 * of two look-ups. A place holds one kind; another one that belongs there takes it.
 *
 * Pairs are the chunk's: when it ends all is forgotten. Zeroed memory is empty. One thread.
 */
#ifndef HEAPLINE_COLLECTOR_RECENT_COUNTERS_H
#define HEAPLINE_COLLECTOR_RECENT_COUNTERS_H

#include <stdint.h>
#include <string.h>

#include "collector/book/counters.h"
#include "chunk.h"

#define RECENT_COUNTERS_LOG2 9u

/* A kind of allocation: where, by whom, and of what size by which allocator. */
struct recent_counter {
    uint64_t node_and_thread;
    uint64_t size_and_allocator; /* 0: none is remembered */
    uint32_t counter;            /* 0: none, memory was short */
    uint32_t pair;               /* its number + 1; 0: not known yet */
};

struct recent_counters {
    struct recent_counter places[1u << RECENT_COUNTERS_LOG2];
};

static inline void recent_counters_forget(struct recent_counters *recent)
{
    memset(recent, 0, sizeof *recent);
}

/* Sizes are below 2^48. */
static inline uint64_t recent_size_and_allocator(uint64_t size, uint8_t allocator)
{
    return UINT64_C(1) << 63 | (uint64_t)allocator << 48 | size;
}

static inline struct recent_counter *
recent_counters_place(struct recent_counters *recent, uint32_t node, uint32_t thread, uint64_t size)
{
    uint32_t mixed = node ^ (uint32_t)size << 16 ^ thread << 8;
    return &recent->places[hash_place(mixed, RECENT_COUNTERS_LOG2)];
}

/* Never null; its counter is made when new. */
static inline struct recent_counter *recent_counters_find(struct recent_counters *recent,
                                                          struct counters *counters, uint32_t node,
                                                          uint32_t thread, uint8_t allocator,
                                                          uint64_t size)
{
    struct recent_counter *place = recent_counters_place(recent, node, thread, size);
    uint64_t node_and_thread = (uint64_t)thread << 32 | node;
    uint64_t size_and_allocator = recent_size_and_allocator(size, allocator);
    if (place->node_and_thread == node_and_thread &&
        place->size_and_allocator == size_and_allocator) {
        ASSERT(counters_at(counters, place->counter)->node == node);
        return place;
    }
    uint32_t counter =
        counters_find(counters, node, thread, allocator, (uint8_t)size_class_of(size));
    *place = (struct recent_counter){node_and_thread, counter ? size_and_allocator : 0, counter, 0};
    return place;
}

#endif
