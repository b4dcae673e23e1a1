/*
 * What is counted of a run as a whole: the peak of all its processes, what waits for forked
 * children, who is missing, and how threads are numbered. What is counted of each process is in its
 * book (book.h).
 *
 * When memory is short what cannot be counted is left out, and memory_short or history_short says
 * where that was first, for good. One thread.
 */
#ifndef HEAPLINE_COLLECTOR_LEDGER_H
#define HEAPLINE_COLLECTOR_LEDGER_H

#include <stdbool.h>
#include <stdint.h>

#include "chunk.h"
#include "collector/base/origin.h"
#include "collector/base/vector.h"
#include "collector/peer/absence.h"

struct inheritance;

/* Kept by run_peak.h. */
struct run_peak {
    uint64_t bytes, blocks;
    double time;                      /* seconds from the run's start */
    uint64_t epoch;                   /* moves with every new peak */
    uint64_t live_bytes, live_blocks; /* of all that have not left; during a batch of the others */
    struct vector left; /* struct peak_position: of those that lived at the peak and left since */
    uint32_t left_count;
};

/* Of children that have not said hello yet (inheritance.h). */
struct inheritances {
    struct inheritance *first; /* the oldest */
    struct inheritance **last; /* the end of that list, where it is not empty */
    uint32_t count;
    uint64_t forked_ns; /* when one of the processes forked last (clock_now()) */
};

struct ledger {
    struct chunk_writer chunk;     /* for checkpoints and history */
    struct run_peak peak, touched; /* of what was asked for, and of what of that was touched */
    struct inheritances inheritances;
    struct absences absences;
    uint32_t thread_count; /* threads numbered so far */
    bool keeps_history;
    struct origin history_short; /* some process's history ends early for want of memory */
    struct origin memory_short;  /* something was not counted for want of memory */
};

/* Zeroed memory. False: no memory; ledger_deinit() in any case. */
bool ledger_init(struct ledger *ledger);
/* Nobody may wait for an inheritance any more (inheritance_free_all()). */
void ledger_deinit(struct ledger *ledger);

#endif
