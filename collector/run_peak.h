/*
 * The most that all processes of a run held together, and where each of them stood then.
 *
 * The processes are read in batches, in the order of time (drain.h). While one is read the others
 * stand still, so the run is at a new peak when this one goes beyond its share: the peak so far
 * less what the others hold (heap_sums.share). That is one comparison an allocation. Where the
 * others stood is noted later, before each one's next batch, as the counters note their part of a
 * process's peak. A process that has ended has left: it adds nothing to later sums. One thread.
 */
#ifndef HEAPLINE_COLLECTOR_RUN_PEAK_H
#define HEAPLINE_COLLECTOR_RUN_PEAK_H

#include <stdbool.h>
#include <stdint.h>

#include "vector.h"

struct run;
struct process;

/* Where a process stood at the run's peak of this epoch. */
struct peak_position {
    uint64_t epoch;
    uint64_t events; /* that it had had */
    uint64_t bytes, blocks;
    uint32_t process; /* process.id in the recording */
    bool lived;       /* false: it came later */
};

struct run_peak {
    uint64_t bytes, blocks;
    double time;                      /* seconds from the run's start */
    uint64_t epoch;                   /* moves with every new peak */
    uint64_t live_bytes, live_blocks; /* of all that have not left; during a batch of the others */
    struct vector left; /* struct peak_position: of those that lived at the peak and left since */
    uint32_t left_count;
};

void run_peak_deinit(struct run_peak *peak);

/* A process begins. */
void run_peak_join(const struct run *run, struct process *process);

/* Around every batch of a process's events. */
void run_peak_begin(struct run *run, struct process *process);
void run_peak_end(struct run *run, struct process *process);

/* A process has ended; all its events have been read. Once is enough. */
void run_peak_leave(struct run *run, struct process *process);

/* Makes the process's position that at the latest peak, unless it has left. Between batches. */
void run_peak_settle(const struct run *run, struct process *process);

#endif
