/*
 * What a process's counters hold over time where no history is kept: in each slice of time the
 * changes of each counter, on their way into the recording.
 *
 * Slices widen: after every SLICES_BEFORE_WIDENING of them they last twice as long, so that their
 * number grows with the logarithm of the run's length, and none is much longer than a part in
 * SLICES_BEFORE_WIDENING of the time before it. Memory: 32 bytes a counter. One thread at a time.
 */
#ifndef HEAPLINE_COLLECTOR_SLICES_H
#define HEAPLINE_COLLECTOR_SLICES_H

#include <stdbool.h>
#include <stdint.h>

#include "vector.h"

struct run;
struct process;

#define SLICES_BEFORE_WIDENING 64u
#define SLICES_FIRST_NS        UINT64_C(20000000)

struct slice_base {
    uint64_t allocations, allocated_bytes, bytes, blocks;
};

struct slices {
    struct vector base; /* by counter: what it had counted at the end of the last slice */
    uint64_t interval_ns;
    uint64_t next_ns;    /* CLOCK_MONOTONIC */
    uint64_t last_event; /* number of events at the end of the last slice */
    uint32_t taken;      /* since the last widening */
};

void slices_deinit(struct slices *slices);

/* Ends a slice when it is time. */
void slices_take(struct run *run, struct process *process, uint64_t now_ns);

/* Ends a slice here: at the end of the program and of the process. */
void slices_end(struct run *run, struct process *process);

#endif
