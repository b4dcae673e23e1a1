/*
 * What all processes of a run share. One thread owns it, and all processes.
 */
#ifndef HEAPLINE_COLLECTOR_RUN_H
#define HEAPLINE_COLLECTOR_RUN_H

#include <stdbool.h>
#include <stdint.h>

#include "collector/book/ledger.h"
#include "collector/native/stacks.h"
#include "collector/peer/endings.h"
#include "collector/peer/lineage.h"

struct run {
    uint64_t started_ns;  /* CLOCK_MONOTONIC */
    uint64_t clock_ns;    /* what it was lately; no stream is ahead of it by much; 0: any may be */
    double started;       /* Unix time */
    uint64_t surveys_ns;  /* that surveys of all processes have taken (survey/survey.h) */
    bool has_no_children; /* nobody wants what they inherit */
    struct stacks stacks;
    struct ledger ledger;
    struct endings endings;
    struct lineages lineages;
};

/* False: no memory; run_deinit() in any case. */
bool run_init(struct run *run);
/* After all its processes. */
void run_deinit(struct run *run);

/* Seconds from the run's start; 0 for what was before. */
double run_seconds(const struct run *run, uint64_t monotonic_ns);

/* Where memory was short first, so that something was left out; its file is null when it was not.
 */
static inline struct origin run_memory_short(const struct run *run)
{
    return run->stacks.memory_short.file ? run->stacks.memory_short : run->ledger.memory_short;
}

#endif
