/*
 * The tree of stacks: node n is (parent, location), node 0 the empty stack. Parents are smaller
 * than their children.
 */
#ifndef HEAPLINE_VIEWER_RECORDING_STACKS_H
#define HEAPLINE_VIEWER_RECORDING_STACKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "viewer/recording/database.h"
#include "viewer/recording/symbols.h"

struct stacks {
    uint32_t *parent;
    uint32_t *location;
    size_t count; /* nodes, at least 1 */
};

/* Needs stacks_deinit() in either case, and zeroed memory. */
bool stacks_init(struct stacks *stacks, struct database *database, const struct symbols *symbols);
void stacks_deinit(struct stacks *stacks);

/* The number of frames of a node's stack. */
size_t stacks_depth(const struct stacks *stacks, uint32_t node);

/* The locations of a node's stack, *depth of them, the outermost first. The caller frees them. */
uint32_t *stacks_path(const struct stacks *stacks, uint32_t node, size_t *depth);

#endif
