/*
 * Sums over all stacks in which something stands at any level.
 */
#ifndef HEAPLINE_VIEWER_QUESTION_CUMULATIVE_H
#define HEAPLINE_VIEWER_QUESTION_CUMULATIVE_H

#include "viewer/question/grouping.h"
#include "viewer/question/row.h"

/* `nodes` holds, by node, what was counted for exactly that stack; afterwards what was counted for
 * it and all stacks above it. Adds to `rows`, by key of the grouping (line, file, function or
 * module), what was counted for the stacks in which the key occurs, each stack once. */
void cumulative_add(struct row *rows, struct row *nodes, const struct grouping *grouping);

#endif
