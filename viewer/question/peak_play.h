/*
 * The peak of some processes by playing their histories side by side.
 */
#ifndef HEAPLINE_VIEWER_QUESTION_PEAK_PLAY_H
#define HEAPLINE_VIEWER_QUESTION_PEAK_PLAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "viewer/recording/counters.h"
#include "viewer/recording/recording.h"

struct peak {
    bool is_touched;      /* of what was touched (touched.h), not of what was asked for */
    bool is_of_selection; /* of a part: bytes and blocks are those of that */
    bool is_known;        /* false: bytes and blocks are each one's own, added up */
    uint64_t bytes, blocks;
    double time;                     /* from the run's start; NaN: unknown */
    struct peak_position *positions; /* by process of the recording; of the chosen ones */
};

/* What is to be counted. */
struct peak_selection {
    bool (*wants)(const void *context, const struct counter_row *counter, bool inherited);
    const void *context;
};

/* Fills in the peak of the processes with these indices; peak->positions is there. `selection`: of
 * that alone; NULL: of what counts. Where a history ends early the peak is not known. False, with a
 * problem in the recording, when one is damaged. */
bool peak_play(struct peak *peak, struct recording *recording, const size_t *processes,
               size_t count, const struct peak_selection *selection);

#endif
