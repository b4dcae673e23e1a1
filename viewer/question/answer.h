/*
 * The answer to a query: its rows, and what all of them come to.
 *
 * One thread.
 */
#ifndef HEAPLINE_VIEWER_QUESTION_ANSWER_H
#define HEAPLINE_VIEWER_QUESTION_ANSWER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lifetime.h"
#include "viewer/question/grouping.h"
#include "viewer/question/peak.h"
#include "viewer/question/query.h"
#include "viewer/question/row.h"
#include "viewer/question/run_end.h"
#include "viewer/recording/recording.h"

/* The sums of the chosen processes, and the peak of their sum. */
struct totals {
    struct sums sums;
    uint64_t frees, unmatched_frees, lost_events;
    double peak_time; /* NaN: unknown */
    bool touched_is_known;
    uint64_t touched_bytes, touched_blocks, touched_error;
    double touched_time;        /* NaN: unknown, or not the same of all */
    uint64_t largest_untouched; /* of one block */
    uint32_t largest_location;  /* where that was allocated; 0: not known */
    uint64_t resident_bytes;    /* the most that was resident; 0: unknown */
    double resident_time;       /* NaN: unknown */
    struct run_end run_end;     /* never more than the peak; as it, only where that is needed */
};

/* As peaks_part(), where it is known. */
static inline bool totals_part(const struct totals *totals)
{
    return totals->touched_is_known && peaks_part(totals->touched_bytes, totals->sums.peak_bytes);
}

/* Adds a process, but for what only all of them together have: peak and end of the run. */
void totals_add(struct totals *totals, const struct process *process);

struct answer {
    struct query query; /* borrowed from the caller: its lists are not owned here */
    struct grouping grouping;
    size_t *processes; /* indices of the chosen processes */
    size_t process_count;
    struct peak peak;    /* of their sum; where it is not known the moment is each one's own peak */
    struct peak touched; /* the same of what they had touched; unknown in older recordings */
    struct peak selection; /* of what is selected; only where its moment is asked for */
    struct totals totals;
    double time;      /* of the moment; NaN: unknown, or not the same of several processes */
    double from_time; /* the same of a span's start; `time` is then its end's */
    bool by_slices; /* no history was kept: of one process, times are those of the slices' ends, and
                     * of a span only net changes are known */
    struct row *rows; /* sorted, not more than the limit */
    size_t row_count;
    size_t rows_omitted;
    struct lifetimes *lifetimes; /* by key, when they were asked for: of the whole run */
    struct row view;             /* what was asked for, summed over all rows (not cumulated) */
    struct row omitted; /* the same for the rows beyond the limit; cumulated ones overlap */
};

/* False, with a problem in the recording, when it is damaged. Needs answer_deinit() in either case.
 * Recording and query must outlive the answer. */
bool answer_init(struct answer *answer, struct recording *recording, const struct query *query);
void answer_deinit(struct answer *answer);

/* What one counter has of an answer. */
struct counted {
    size_t process;  /* index */
    uint32_t number; /* of the process's counters, from 0 */
    uint32_t key;    /* of its row */
    const struct counter_row *counter;
    const struct row *row; /* without a key */
};

typedef void answer_visitor(void *context, const struct counted *counted);

/* As answer_init(), and shows every counter that is part of the answer, before the rows are
 * complete, to whoever tells apart more than rows do. What it has seen means nothing when this
 * returns false. */
bool answer_init_visited(struct answer *answer, struct recording *recording,
                         const struct query *query, answer_visitor *visit, void *context);

/* Sorts and limits the rows of an answer that has had no limit so far, as its query now says. */
void answer_arrange(struct answer *answer);

#endif
