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

struct book;
struct ledger;

#define SLICES_BEFORE_WIDENING 64u
#define SLICES_FIRST_NS        UINT64_C(20000000)

/* What a counter had counted at the end of the last slice. */
struct slice_base {
    uint64_t allocations, allocated_bytes, bytes, blocks;
};

/* Ends a slice when it is time. */
void slices_take(struct ledger *ledger, struct book *book, uint64_t now_ns);

/* Ends a slice here: at the end of the program and of the process. */
void slices_end(struct ledger *ledger, struct book *book);

#endif
