/*
 * A process's memory over time: what its heap held by allocator, and what the kernel says of it.
 *
 * Samples cover the run evenly. When there are SAMPLES_MAX, every two neighbours become one and the
 * next ones are taken half as often, so that memory and file stay bounded however long the run is.
 * One thread.
 */
#ifndef HEAPLINE_COLLECTOR_SAMPLES_H
#define HEAPLINE_COLLECTOR_SAMPLES_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "collector/book/counters.h"

#define SAMPLES_MAX      2048u
#define SAMPLE_UNKNOWN   UINT64_MAX
#define SAMPLES_FIRST_NS UINT64_C(10000000)

/* The slice of time up to `time`. Bytes; SAMPLE_UNKNOWN where the kernel does not say. */
struct sample {
    double time;                                 /* seconds from the run's start */
    uint64_t by_allocator[WIRE_ALLOCATOR_COUNT]; /* at its end */
    uint64_t most, most_touched;                 /* the heap's largest sums in it */
    uint64_t resident, proportional, swapped;    /* the largest that was seen in it */
};

struct samples {
    struct sample *list;
    uint32_t count;
    uint32_t written;     /* that the recording has; 0 after neighbours have become one */
    uint64_t interval_ns; /* a power of two times SAMPLES_FIRST_NS */
    uint64_t next_ns;     /* CLOCK_MONOTONIC */
    uint64_t next_costly_ns;
    uint64_t costly_events;         /* the process's events when that was asked for last */
    uint64_t proportional, swapped; /* as read last */
};

void samples_deinit(struct samples *samples);

/* The costly part of the first sample is to wait a little. */
void samples_postpone_costly(struct samples *samples, uint64_t now_ns);

/* Takes a sample when one is due, or when `last` says that there will be no more. `seconds` is
 * `now_ns` from the run's start. When memory is short there is none. Returns whether one was taken.
 */
bool samples_take(struct samples *samples, struct heap_sums *sums, pid_t pid, uint64_t now_ns,
                  double seconds, bool last);

#endif
