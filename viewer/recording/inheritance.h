/*
 * What forked processes were forked with.
 *
 * The recording does not repeat it: it says which process each was forked by, and how many events
 * that had had (table inheritance of store.sql). What the parent held then is what the child began
 * with; its own counters tell what it has freed of that, as numbers below zero, modulo 2^64.
 *
 * While it is known (inherited_counters.h), counters are read (counters.h) and moments rebuilt
 * (replay.h, slices.h) with it, and the process has more counters: behind those in the file the
 * ones of which it has freed nothing. They keep their numbers from one time to the next. In
 * recordings of before format 4 processes are as if forked with nothing, and what they inherited is
 * counted as if allocated.
 */
#ifndef HEAPLINE_VIEWER_RECORDING_INHERITANCE_H
#define HEAPLINE_VIEWER_RECORDING_INHERITANCE_H

#include <stdbool.h>

#include "viewer/recording/recording.h"

/* Reads where each process was forked; for recording_init(), after the counters are counted. */
bool inheritances_load(struct recording *recording);
void inheritances_deinit(struct recording *recording);

/* Forgets what inheritance_know() (inherited_counters.h) has made known. */
void inheritance_forget(struct recording *recording, size_t process);

/* Is something missing from what the process holds, because it is not known? */
bool inheritance_is_missing(const struct process *process);

/* Adds what is known of it, to counters that hold what has changed since. */
void inheritance_add(const struct process *process, struct held *held);

/* May a counter that has come to this hold it? Below zero only where something is missing. */
bool inheritance_allows(const struct process *process, const struct held *held);

#endif
