/*
 * The processes of a recording as a tree: which one started which.
 */
#ifndef HEAPLINE_VIEWER_RECORDING_PROCESS_TREE_H
#define HEAPLINE_VIEWER_RECORDING_PROCESS_TREE_H

#include <stdbool.h>
#include <stddef.h>

#include "viewer/recording/recording.h"

enum process_sort {
    PROCESS_SORT_START,
    PROCESS_SORT_PEAK,
    PROCESS_SORT_END,
    PROCESS_SORT_LEAKED,
    PROCESS_SORT_ALLOCATIONS,
};
/* As an option's value; NULL-terminated. */
extern const char *const process_sort_names[];

#define PROCESS_TREE_NONE ((size_t)-1)

struct process_node {
    const struct process *process;
    size_t parent; /* number of a node before this one; PROCESS_TREE_NONE: a root */
    size_t depth;  /* 0: a root */
    bool is_last;  /* of its parent's children */
    bool has_children;
};

/* Parents stand before their children, who follow at once, each with its own behind it. */
struct process_tree {
    struct process_node *nodes;
    size_t count;
};

/* The children of one parent, and the roots, are sorted: by their start, else the largest first.
 * The recording must outlive the tree. */
void process_tree_init(struct process_tree *tree, const struct recording *recording,
                       enum process_sort sort);
void process_tree_deinit(struct process_tree *tree);

#endif
