/*
 * A recording in memory: the run, its processes, and what the counted rows refer to.
 *
 * recording_init() reads everything but the counters and the sources; the counters are read in one
 * pass by counters.h, the sources as they are asked for by source.h. Every number that refers to
 * something has been checked: whoever uses a struct recording may index with what is in it. One
 * thread.
 */
#ifndef HEAPLINE_VIEWER_RECORDING_RECORDING_H
#define HEAPLINE_VIEWER_RECORDING_RECORDING_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "chunk.h"
#include "viewer/recording/database.h"
#include "viewer/recording/endings.h"
#include "viewer/recording/stacks.h"
#include "viewer/recording/symbols.h"

/* Sums as a process row and its counters both give them. */
struct sums {
    uint64_t allocations, allocated_bytes;
    uint64_t peak_blocks, peak_bytes;
    uint64_t end_blocks, end_bytes;
    uint64_t leaked_blocks, leaked_bytes;
};

/* Where a process stands at a peak of several. */
struct peak_position {
    bool lived; /* false: it holds nothing, it had not begun or had ended */
    uint64_t events;
    uint64_t bytes, blocks; /* what it holds */
};

/* What a process was forked with (inheritance.h). */
struct inherited {
    struct process *parent; /* NULL: nothing */
    uint64_t events;        /* of the parent up to the fork */
    uint64_t first_block;   /* number of the process's own first block */
    uint32_t told;          /* counters in the file */
    /* While it is known: what each counter held at the fork, and the rows of those behind. */
    struct held *held;
    struct counter_row *rows;
};

struct process {
    uint32_t id;
    int64_t pid;
    int64_t parent; /* process id, 0 for the process that heapline run started */
    json_t *command;
    char *python; /* NULL while unknown */
    bool python_stacks;
    bool end_seen;
    double started, ended, peak_time, end_time; /* NaN: unknown */
    int64_t exit_status;                        /* -1: unknown */
    int64_t signal;                             /* 0: none */
    struct ending ending;
    struct sums sums;
    uint64_t frees, unmatched_frees, lost_events;
    uint64_t events, peak_events, end_events; /* in all, up to the peak, up to the end */
    uint32_t counter_count;
    struct inherited inherited;
    const struct process *descends_from; /* its parent in the recording; NULL: not told */
    struct peak_position at_run_peak;    /* when that is known */
};

/* The maximum over time of the sum over all processes. */
struct run_peak {
    bool is_known; /* older recordings do not have it; of a run that goes on it may be outdated */
    uint64_t bytes, blocks;
    double time;
};

struct run {
    json_t *command;
    char *directory;
    double started;
    double seconds; /* NaN: still being recorded, or cut short */
    bool complete;
    bool history;     /* every event was to be kept */
    char *trouble;    /* NULL: none */
    json_t *absences; /* processes that are missing, by reason */
};

struct recording {
    struct database database;
    struct run run;
    struct process *processes;
    size_t process_count;
    struct run_peak peak;
    struct symbols symbols;
    struct stacks stacks;
};

/* Reads the file; false when that is not possible, and then recording_problem() says why. What
 * takes long, also later on, is told to `progress`, unless that is NULL. Both must outlive the
 * recording. Needs recording_deinit() in either case. */
bool recording_init(struct recording *recording, const char *path, struct progress *progress);
void recording_deinit(struct recording *recording);
const char *recording_problem(const struct recording *recording);

/* The process with this id; NULL when there is none. */
struct process *recording_process(struct recording *recording, uint32_t id);

/* Events that were not recorded, over all processes. */
uint64_t recording_lost_events(const struct recording *recording);

#endif
