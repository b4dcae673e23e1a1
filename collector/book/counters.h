/*
 * What is counted of one process, by (node, thread, allocator, size class), and the exact peak with
 * its composition.
 *
 * A counter holds what is live in it and what it held when the heap was last at its highest. The
 * peak costs O(1) an event: the heap's `epoch` moves with every new peak, and a counter notes what
 * it holds only when it is touched for the first time after that. Whoever reads `peak_bytes` must
 * first call counter_settle(). One thread at a time.
 */
#ifndef HEAPLINE_COLLECTOR_COUNTERS_H
#define HEAPLINE_COLLECTOR_COUNTERS_H

#include <stdbool.h>
#include <stdint.h>

#include "assertion.h"
#include "collector/base/vector.h"
#include "hash.h"
#include "wire.h"

struct counter {
    uint64_t bytes; /* live */
    uint64_t allocated_bytes;
    uint64_t allocations;
    uint64_t peak_bytes;
    uint64_t epoch;                             /* of peak_bytes and peak_blocks */
    uint64_t temporary_bytes, temporary_blocks; /* freed before the thread's next allocation */
    uint32_t blocks;
    uint32_t peak_blocks;
    uint32_t node;
    uint32_t thread; /* of the run */
    uint32_t next;   /* the next one of the node's list or of the bucket; 0: none */
    uint8_t allocator;
    uint8_t size_class;
    /* Its blocks came from the process's parent: not part of the sums, and what it holds is what it
     * held at the fork, which is not known here, less what has been freed since: from zero down. */
    bool inherited;
};

/* So many counters of a node stand in its list. */
#define COUNTERS_LISTED 4u

struct counters {
    struct vector all;     /* struct counter; number 0 is not used */
    struct vector of_node; /* uint32_t: the first of a node's list, 0: none */
    uint32_t count;        /* including 0 */
    struct vector buckets; /* uint32_t: the first counter of those with the same hash, 0: none */
    unsigned log2_buckets;
    uint32_t hashed;       /* counters in the buckets */
    struct hash_seed seed; /* of the buckets */
    uint64_t wasted;       /* on long look-ups (hash.h) */
};

void counters_deinit(struct counters *counters);

/* The sums of one process. */
struct heap_sums {
    uint64_t bytes, blocks; /* live */
    uint64_t peak_bytes, peak_blocks;
    double peak_time; /* seconds from the run's start */
    uint64_t allocations, allocated_bytes, frees;
    uint64_t events;                             /* the three kinds that history knows */
    uint64_t peak_events;                        /* up to the one that made the peak */
    uint64_t by_allocator[WIRE_ALLOCATOR_COUNT]; /* live bytes */
    uint64_t most;                               /* live bytes, the most since it was set */
    uint64_t epoch;                              /* moves with every new peak */
    /* Live bytes beyond which the run is at a new peak (run_peak.h), raised with each one that a
     * batch makes; and what the process held at the latest of these. */
    uint64_t share, share_blocks;
    uint64_t share_events; /* up to it; 0: the batch has made none */
    double share_time;
};

static inline struct counter *counters_at(const struct counters *counters, uint32_t number)
{
    ASSERT(number != 0 && number < counters->count);
    return (struct counter *)counters->all.data + number;
}

/* What is live in it; of an inherited one below zero, modulo 2^64. */
static inline uint64_t counter_blocks(const struct counter *counter)
{
    return counter->inherited ? (uint64_t)(int32_t)counter->blocks : counter->blocks;
}

/* A counter that is new, or not in its node's list, which holds `listed` others. */
uint32_t counters_find_unlisted(struct counters *counters, uint32_t node, uint32_t thread,
                                uint8_t allocator, uint8_t size_class, unsigned listed);

/* The counter's number, made when new; 0 when memory is short. */
static inline uint32_t counters_find(struct counters *counters, uint32_t node, uint32_t thread,
                                     uint8_t allocator, uint8_t size_class)
{
    uint32_t number = 0;
    unsigned listed = 0;
    if (__builtin_expect(((size_t)node + 1) * sizeof number <= counters->of_node.bytes, 1))
        number = ((const uint32_t *)counters->of_node.data)[node];
    for (; number; number = counters_at(counters, number)->next, listed++) {
        const struct counter *counter = counters_at(counters, number);
        if (counter->thread == thread && counter->size_class == size_class &&
            counter->allocator == allocator)
            return number;
    }
    return counters_find_unlisted(counters, node, thread, allocator, size_class, listed);
}

/* After an event that has added to the heap: is it, or the run, at a new peak? Of two equal peaks
 * the first one stays. */
static inline void heap_sums_note_peak(struct heap_sums *sums, double now)
{
    if (sums->bytes > sums->most)
        sums->most = sums->bytes;
    if (sums->bytes > sums->peak_bytes) {
        sums->peak_bytes = sums->bytes;
        sums->peak_blocks = sums->blocks;
        sums->peak_time = now;
        sums->peak_events = sums->events;
        sums->epoch++;
    }
    if (sums->bytes > sums->share) {
        sums->share = sums->bytes;
        sums->share_blocks = sums->blocks;
        sums->share_events = sums->events;
        sums->share_time = now;
    }
}

/* Makes the counter's peak values those of the heap's latest peak. */
static inline void counter_settle(struct counter *counter, const struct heap_sums *sums)
{
    if (counter->epoch == sums->epoch)
        return;
    counter->epoch = sums->epoch;
    counter->peak_bytes = counter->bytes;
    counter->peak_blocks = counter->blocks;
}

static inline void counter_allocate(struct counter *counter, struct heap_sums *sums, uint64_t size,
                                    double now)
{
    counter_settle(counter, sums);
    counter->bytes += size;
    counter->blocks++;
    counter->allocations++;
    counter->allocated_bytes += size;
    sums->bytes += size;
    sums->blocks++;
    sums->allocations++;
    sums->allocated_bytes += size;
    sums->events++;
    sums->by_allocator[counter->allocator] += size;
    heap_sums_note_peak(sums, now);
}

static inline void counter_free(struct counter *counter, struct heap_sums *sums, uint64_t size,
                                bool temporary)
{
    ASSERT(counter->inherited || (counter->blocks > 0 && counter->bytes >= size));
    counter_settle(counter, sums);
    counter->bytes -= size;
    counter->blocks--;
    sums->events++;
    if (__builtin_expect(counter->inherited, 0))
        return;
    counter->temporary_bytes += temporary ? size : 0;
    counter->temporary_blocks += temporary;
    sums->bytes -= size;
    sums->by_allocator[counter->allocator] -= size;
    sums->blocks--;
    sums->frees++;
}

/* Takes back a free: the realloc that it belonged to has failed. What others have allocated since
 * then is beside the block. */
static inline void counter_restore(struct counter *counter, struct heap_sums *sums, uint64_t size,
                                   bool temporary, double now)
{
    counter_settle(counter, sums);
    counter->bytes += size;
    counter->blocks++;
    sums->events++;
    if (__builtin_expect(counter->inherited, 0))
        return;
    counter->temporary_bytes -= temporary ? size : 0;
    counter->temporary_blocks -= temporary;
    sums->bytes += size;
    sums->by_allocator[counter->allocator] += size;
    sums->blocks++;
    sums->frees--;
    heap_sums_note_peak(sums, now);
}

#endif
