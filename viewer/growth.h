/*
 * Rows that grow and grow: suspects of a leak.
 *
 * The time from a process's first event to the end of its program is looked at in GROWTH_MOMENTS
 * even steps. A row is a suspect when what it holds rises steadily to the end: it never falls far
 * from what it held before, it is still rising in the last third as it was before, in bytes and in
 * blocks, and it has gained something worth naming. A cache that fills and levels off, a buffer
 * that is emptied again and again, and what was allocated once and kept are none.
 *
 * Allocated once and kept is another shape: what a row holds at the end came within two steps, and
 * has stayed exactly the same for at least a sixth of the time.
 */
#ifndef HEAPLINE_VIEWER_GROWTH_H
#define HEAPLINE_VIEWER_GROWTH_H

#include "viewer/query.h"

#define GROWTH_MOMENTS 24u

enum shape {
    SHAPE_OTHER,
    SHAPE_GROWS,
    SHAPE_ONCE,
};

struct suspect {
    uint32_t key; /* of the grouping */
    uint64_t bytes[GROWTH_MOMENTS + 1], blocks[GROWTH_MOMENTS + 1];
    uint64_t gained;   /* bytes, from the first moment to the last */
    double slope;      /* bytes a second, by least squares */
    double first_seen; /* the first of the moments at which it held something */
};

struct growth {
    struct answer last; /* at the last moment, with the grouping; all rows, in no order */
    uint8_t *shapes;    /* enum shape by key */
    double times[GROWTH_MOMENTS + 1];
    struct suspect *suspects; /* steepest first */
    size_t count;
};

/* Asks the query (its moment and limit do not matter) at each of the moments. False, with a problem
 * in the recording. Needs growth_deinit() in either case; recording and query must outlive it. */
bool growth_init(struct growth *growth, struct recording *recording, const struct query *query);
void growth_deinit(struct growth *growth);

#endif
