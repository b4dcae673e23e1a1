/*
 * A recording in memory: the run, its processes, and what the counted rows refer to.
 *
 * It has been read (loading.h) but for the counters and the sources; the counters are read in one
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

#include "viewer/recording/database.h"
#include "viewer/recording/process.h"
#include "viewer/recording/stacks.h"
#include "viewer/recording/symbols.h"

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
    struct run_peak peak, touched;
    struct symbols symbols;
    struct stacks stacks;
};

/* Why it could not be read. */
const char *recording_problem(const struct recording *recording);

/* The process with this id; NULL when there is none. */
struct process *recording_process(struct recording *recording, uint32_t id);

/* Events that were not recorded, over all processes. */
uint64_t recording_lost_events(const struct recording *recording);

#endif
