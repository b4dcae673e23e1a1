/*
 * Reading the streams of all processes in the order of time.
 *
 * A stream says the time where the collector's clock has moved: about every millisecond. Of several
 * streams the one whose time is the earliest is read next, up to where its own time goes beyond the
 * others'. So sums over processes are right to about a millisecond, however much waits to be read.
 *
 *   cut   where all streams stood at one moment: what lies before it is read before anything behind
 *
 * One thread.
 */
#ifndef HEAPLINE_COLLECTOR_DRAIN_H
#define HEAPLINE_COLLECTOR_DRAIN_H

#include <stdbool.h>
#include <stdint.h>

#include "collector/stream/process.h"

struct drain {
    struct run *run;
    uint64_t clock_ns; /* when the writers' clocks were moved last */
    /* Those that are being read; none between calls. */
    struct process *const *processes;
    unsigned count;
};

/* Zeroed memory; the drain must outlive the run. */
void drain_init(struct drain *drain, struct run *run);

/* One round: reads so much that others, and the sockets, have their turn. Returns the words read.
 * `now` is CLOCK_MONOTONIC. */
uint64_t drain_round(struct drain *drain, struct process *const *processes, unsigned count,
                     uint64_t now);

/* Reads all that the processes have published by now. */
void drain_to_now(struct drain *drain, struct process *const *processes, unsigned count);

/* The same in two steps, between which somebody may be let in who is not among them: what they
 * publish after the first may come after what that one does, and is not read by the second. Of
 * streams, which may be late, that is told by the time of the first step, which it returns. The
 * second may be asked again, for what had not been published. */
uint64_t drain_make_cut(struct process *const *processes, unsigned count);
void drain_to_cut(struct drain *drain, struct process *const *processes, unsigned count,
                  uint64_t cut_ns);

/* Reads one process's stream to its end, which is where it stands now, and takes it out of the
 * run's sum. A hole there is a record that it was writing when it was killed; or, when it lives on
 * (the recording ends before it), that it is just writing. */
void drain_to_end(struct drain *drain, struct process *process, bool lives_on);

#endif
