/*
 * Rows that grow and grow: suspects of a leak.
 *
 * Rising is judged (rising.h) for all chosen processes together, and for each of them by itself,
 * over its own life: what a worker leaks is gone when it ends, and among many that come and go
 * nothing rises in the sum. Where the sum rises that is what is told of a row; else the process in
 * which the row has gained the most. With a span, only what lies in it is looked at.
 *
 * What is allocated while a module is imported is no suspect: starting takes most of many a short
 * life, and each module is loaded once.
 *
 * Allocated once and kept is another shape: in every process in which a row holds something at the
 * end, that came within two steps, and has stayed exactly the same for at least a sixth of the
 * time.
 */
#ifndef HEAPLINE_VIEWER_QUESTION_GROWTH_H
#define HEAPLINE_VIEWER_QUESTION_GROWTH_H

#include "viewer/question/growth_play.h"
#include "viewer/question/answer.h"

enum shape {
    SHAPE_OTHER,
    SHAPE_GROWS,
    SHAPE_ONCE,
};

struct suspect {
    uint32_t key; /* of the grouping */
    struct rising rising;
    const struct process *process; /* in which it grows; NULL: in the sum of all */
    size_t process_count;          /* how many it grows in, each by itself */
    double from, to;               /* of the values */
    uint64_t bytes[GROWTH_MOMENTS + 1], blocks[GROWTH_MOMENTS + 1];
};

/* What is no suspect: how many rows, and the one that has gained the most. */
struct unmet {
    size_t count;
    struct suspect largest;
};

struct growth {
    struct answer last; /* at the end, with the grouping; all rows, in no order */
    uint8_t *shapes;    /* enum shape by key */
    double times[GROWTH_MOMENTS + 1];
    struct suspect *suspects; /* steepest first */
    size_t count;
    struct unmet unmet[RISING_VERDICTS]; /* by the rule that was not met first */
};

/* Asks the query (its limit does not matter, nor its moment, but its span) about all of the time.
 * False, with a problem in the recording. Needs growth_deinit() in either case; recording and query
 * must outlive it. */
bool growth_init(struct growth *growth, struct recording *recording, const struct query *query);
void growth_deinit(struct growth *growth);

/* A time of the values of a suspect. */
double suspect_seconds(const struct suspect *suspect, unsigned moment);

#endif
