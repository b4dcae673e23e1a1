/*
 * What is counted of one process, by (node, thread, allocator, size class), and the exact peak with
 * its composition.
 *
 * A counter holds what is live in it and what it held when the heap was last at its highest. The
 * peak costs O(1) an event: the heap's `epoch` moves with every new peak, and a counter notes what
 * it holds only when it is touched for the first time after that. Whoever reads `peak_bytes` must
 * first call counter_settle(). One thread at a time.
 *
 * There are two peaks: of what was asked for, and of what of that was *touched*, which is all but
 * what large blocks have untouched (presence.h). Both move the one epoch.
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
    uint64_t epoch;                             /* of what it held at the peaks */
    uint64_t temporary_bytes, temporary_blocks; /* freed before the thread's next allocation */
    uint32_t blocks;
    uint32_t peak_blocks;
    uint32_t node;
    uint32_t thread; /* of the run */
    uint32_t next;   /* the next one of the node's list or of the bucket; 0: none */
    uint8_t allocator;
    uint8_t size_class;
    /* Its blocks came from the process's parent: what it holds is what it held at the fork, which
     * is not known here, less what has been freed since: from zero down. */
    bool inherited;
    bool is_apart; /* no part of the sums: inherited, or by an allocator that is (allocators.h) */
    uint32_t touched_blocks; /* at the peak of what was touched; the bytes with what was not */
    uint64_t touched_bytes;
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

/* The most that was held, and when. */
struct heap_peak {
    uint64_t bytes, blocks;
    uint64_t events; /* up to the one that made it */
    double time;     /* seconds from the run's start */
    uint64_t epoch;  /* of the sums, since then */
};

/* The sums of one process. */
struct heap_sums {
    uint64_t bytes, blocks; /* live */
    uint64_t untouched;     /* of the live bytes */
    /* Live bytes beyond which one of the peaks below is a new one, or `most` or most_touched. */
    uint64_t alert;
    struct heap_peak peak, touched;
    uint64_t allocations, allocated_bytes, frees;
    uint64_t apart_bytes;                        /* allocated in counters that are apart */
    uint64_t events;                             /* the three kinds that history knows */
    uint64_t by_allocator[WIRE_ALLOCATOR_COUNT]; /* live bytes */
    uint64_t most, most_touched;                 /* live bytes, the most since they were set */
    uint64_t most_touched_before;                /* and since a sample was taken */
    uint64_t epoch;                              /* moves with every new peak */
    /* What the process held when the run was at a new peak last, in the batch at hand (run_peak.h);
     * `events` 0: the batch has made none. Before that, `bytes` beyond which it would be one. */
    struct heap_peak share, touched_share;
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

/* The live bytes have risen above `alert`: notes each peak that is a new one. */
void heap_sums_note_peaks(struct heap_sums *sums, double now);

/* After a change of anything that `alert` follows from, but for the live bytes. */
void heap_sums_set_alert(struct heap_sums *sums);

/* After an event that has added to the heap. Of two equal peaks the first one stays. */
static inline void heap_sums_note_growth(struct heap_sums *sums, double now)
{
    if (sums->bytes > sums->alert)
        heap_sums_note_peaks(sums, now);
}

/* Makes the counter's peak values those of the heap's latest peaks. */
static inline void counter_settle(struct counter *counter, const struct heap_sums *sums)
{
    if (counter->epoch == sums->epoch)
        return;
    if (counter->epoch < sums->peak.epoch) {
        counter->peak_bytes = counter->bytes;
        counter->peak_blocks = counter->blocks;
    }
    if (counter->epoch < sums->touched.epoch) {
        counter->touched_bytes = counter->bytes;
        counter->touched_blocks = counter->blocks;
    }
    counter->epoch = sums->epoch;
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
    heap_sums_note_growth(sums, now);
}

static inline void counter_free(struct counter *counter, struct heap_sums *sums, uint64_t size,
                                bool temporary)
{
    ASSERT(counter->inherited || (counter->blocks > 0 && counter->bytes >= size));
    counter_settle(counter, sums);
    counter->bytes -= size;
    counter->blocks--;
    counter->temporary_bytes += temporary ? size : 0;
    counter->temporary_blocks += temporary;
    sums->events++;
    if (__builtin_expect(counter->inherited, 0))
        return;
    sums->by_allocator[counter->allocator] -= size;
    if (__builtin_expect(counter->is_apart, 0))
        return;
    sums->bytes -= size;
    sums->blocks--;
    sums->frees++;
}

/* A mapping that is apart: no part of the sums. */
static inline void counter_allocate_apart(struct counter *counter, struct heap_sums *sums,
                                          uint64_t size)
{
    ASSERT(counter->is_apart && !counter->inherited);
    counter_settle(counter, sums);
    counter->bytes += size;
    counter->blocks++;
    counter->allocations++;
    counter->allocated_bytes += size;
    sums->events++;
    sums->by_allocator[counter->allocator] += size;
    sums->apart_bytes += size;
}

/* Takes back a free: the realloc that it belonged to has failed. What others have allocated since
 * then is beside the block. */
static inline void counter_restore(struct counter *counter, struct heap_sums *sums, uint64_t size,
                                   bool temporary, double now)
{
    counter_settle(counter, sums);
    counter->bytes += size;
    counter->blocks++;
    counter->temporary_bytes -= temporary ? size : 0;
    counter->temporary_blocks -= temporary;
    sums->events++;
    if (__builtin_expect(counter->inherited, 0))
        return;
    sums->by_allocator[counter->allocator] += size;
    if (__builtin_expect(counter->is_apart, 0))
        return;
    sums->bytes += size;
    sums->blocks++;
    sums->frees--;
    heap_sums_note_growth(sums, now);
}

#endif
