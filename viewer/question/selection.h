/*
 * The first few of many rows, in order.
 */
#ifndef HEAPLINE_VIEWER_QUESTION_SELECTION_H
#define HEAPLINE_VIEWER_QUESTION_SELECTION_H

#include <stddef.h>

#include "viewer/question/grouping.h"
#include "viewer/question/row.h"

enum sort {
    SORT_BYTES,
    SORT_BLOCKS,
    SORT_ALLOCATED,
    SORT_ALLOCATIONS,
    SORT_NAME,
};

/* What the user calls them, by their numbers; NULL ends the list. */
extern const char *const sort_names[];

/* Moves the `limit` first rows (all, when there are fewer) of the order to the front and sorts
 * them; the rest follows in no order. Deterministic: no two rows are equal in the order. */
void rows_select(struct row *rows, size_t count, size_t limit, enum sort sort,
                 const struct grouping *grouping);

#endif
