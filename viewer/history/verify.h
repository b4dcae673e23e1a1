/*
 * Does a recording's history say what its sums say?
 */
#ifndef HEAPLINE_VIEWER_HISTORY_VERIFY_H
#define HEAPLINE_VIEWER_HISTORY_VERIFY_H

#include <stdbool.h>
#include <stdint.h>

#include "viewer/recording/recording.h"

enum verdict {
    VERDICT_AGREES,
    VERDICT_DIFFERS, /* `difference` says where */
    VERDICT_UNKNOWN, /* the recording has a problem */
};

struct verification {
    uint64_t events;      /* played */
    uint64_t skipped;     /* records of kinds that are not known */
    char difference[256]; /* empty: none */
};

/* Plays every event of every process, and compares what each counter held at the peak, at the end
 * and at the exit with its row; and what each process held at the peak of the run. Without history:
 * the sum of the slices, at the exit. */
enum verdict recording_verify(struct recording *recording, struct verification *verification);

#endif
