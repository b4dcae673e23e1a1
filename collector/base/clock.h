/*
 * The clocks that the collector reads, in nanoseconds.
 */
#ifndef HEAPLINE_COLLECTOR_CLOCK_H
#define HEAPLINE_COLLECTOR_CLOCK_H

#include <stdint.h>
#include <time.h>

static inline uint64_t clock_read(clockid_t which)
{
    struct timespec time;
    clock_gettime(which, &time);
    return (uint64_t)time.tv_sec * UINT64_C(1000000000) + (uint64_t)time.tv_nsec;
}

/* CLOCK_MONOTONIC. */
static inline uint64_t clock_now(void)
{
    return clock_read(CLOCK_MONOTONIC);
}

/* What this thread has computed: where it is kept waiting for a core, that is no cost of its own.
 */
static inline uint64_t clock_computed(void)
{
    return clock_read(CLOCK_THREAD_CPUTIME_ID);
}

#endif
