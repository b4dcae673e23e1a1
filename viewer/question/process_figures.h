/*
 * What each counter of one process comes to at the moment, or in the span, that a query asks about.
 *
 * A counter's row tells of the moments that have a name, and of the whole run. The rest is asked of
 * the source (counter_source.h), once for all counters of a process.
 */
#ifndef HEAPLINE_VIEWER_QUESTION_PROCESS_FIGURES_H
#define HEAPLINE_VIEWER_QUESTION_PROCESS_FIGURES_H

#include <stdbool.h>
#include <stdint.h>

#include "viewer/history/counter_source.h"
#include "viewer/question/peak.h"
#include "viewer/question/query.h"
#include "viewer/question/row.h"

struct process_figures {
    const struct query *query;
    const struct peak *peak; /* of all processes that are asked for */
    struct recording *recording;
    const struct counter_source *source;
    size_t process;
    bool in_order; /* the span's moments are, of this process */
    /* By counter; NULL where the rows say it themselves, or it is not asked for. */
    struct held *held;
    struct happened *happened;
    struct lifetimes *lifetimes;
    const struct peak_position *expected; /* what `own` must come to; NULL: anything */
    struct held own;                      /* held, but for what was inherited */
};

/* Does the query go beyond what the counters' rows say? */
bool figures_are_needed(const struct query *query);

/* Is the query what was held, or touched, at the peak? */
bool figures_are_of_peak(const struct query *query);

/* The peaks of an answer. */
struct figures_peaks {
    const struct peak *asked, *touched, *selection;
};

/* Which of them it is about. */
const struct peak *figures_peak(const struct query *query, const struct figures_peaks *peaks);

/* Asks for them, and makes known until figures_deinit() what the process was forked with, if that
 * is asked for. False, with a problem in the recording, when they cannot be had. Query, peak and
 * recording must outlive them. Needs figures_deinit() in either case. */
bool figures_init(struct process_figures *figures, const struct query *query,
                  const struct peak *peak, struct recording *recording, size_t process);
void figures_deinit(struct process_figures *figures);

/* What a counter comes to, as a row without a key. For each counter, once, whether the query wants
 * to see it or not. */
struct row figures_row(struct process_figures *figures, uint32_t number,
                       const struct counter_row *counter, bool inherited);

/* After every counter: has the process held what it must have? False, with a problem in the
 * recording: no. */
bool figures_check(const struct process_figures *figures);

#endif
