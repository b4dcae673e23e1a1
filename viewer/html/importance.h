/*
 * Which stacks matter most.
 *
 * A node of a tree of stacks matters as much as it, with all that was called from it, has of
 * whatever it has most of: of the peak, of the end, of what leaked, of all bytes or of all
 * allocations. So none is less than its children, and the first ones in that order are a tree.
 */
#ifndef HEAPLINE_VIEWER_HTML_IMPORTANCE_H
#define HEAPLINE_VIEWER_HTML_IMPORTANCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum measure {
    MEASURE_PEAK,
    MEASURE_END,
    MEASURE_LEAKED,
    MEASURE_ALLOCATED,
    MEASURE_ALLOCATIONS,
    MEASURE_COUNT,
};

/* What was counted for exactly one stack. */
struct weights {
    uint64_t of[MEASURE_COUNT];
};

/* `weights` are by node, of which parents are smaller; afterwards they include what was called.
 * Returns how much each node matters, 0 to 1, by node; the caller frees it. */
float *importance_of(struct weights *weights, const uint32_t *parent, size_t count);

/* Marks the `most` nodes that matter most, and at least node 0; those that have nothing are none of
 * them. Returns how many. `kept` has `count` elements. */
size_t importance_choose(const float *importance, size_t count, size_t most, bool *kept);

#endif
