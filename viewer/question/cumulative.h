/*
 * Sums over all stacks in which something stands at any level.
 */
#ifndef HEAPLINE_VIEWER_QUESTION_CUMULATIVE_H
#define HEAPLINE_VIEWER_QUESTION_CUMULATIVE_H

#include "viewer/question/grouping.h"
#include "viewer/question/query.h"

/* `nodes` holds, by node, what was counted for exactly that stack; afterwards what was counted for
 * it and all stacks above it. Adds to `rows`, by key of the grouping (line, file, function or
 * module), what was counted for the stacks in which the key occurs, each stack once. */
void cumulative_add(struct row *rows, struct row *nodes, const struct grouping *grouping);

/* Adds one row's counts to another's. */
static inline void row_add(struct row *sum, const struct row *row)
{
    sum->bytes += row->bytes;
    sum->blocks += row->blocks;
    sum->allocated_bytes += row->allocated_bytes;
    sum->allocations += row->allocations;
    sum->freed_bytes += row->freed_bytes;
    sum->freed_blocks += row->freed_blocks;
}

#endif
