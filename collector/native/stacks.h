/*
 * What stacks are made of in a whole run: code, points of native code, and the tree of stacks
 * itself.
 *
 * When memory is short a stack ends early and memory_short says so, for good. One thread.
 */
#ifndef HEAPLINE_COLLECTOR_STACKS_H
#define HEAPLINE_COLLECTOR_STACKS_H

#include <stdbool.h>
#include <stdint.h>

#include "collector/base/origin.h"
#include "collector/native/native_table.h"
#include "collector/python/codes.h"
#include "collector/python/stack_tree.h"

struct stacks {
    struct codes codes;
    struct stack_tree tree;
    struct native_table native;
    uint32_t frames_max; /* innermost frames that a stack keeps; 0: all */
    uint32_t truncated;  /* location for the outer frames of a truncated stack; 0: not yet made */
    struct origin memory_short;           /* where first */
    void (*while_waiting)(void *context); /* called about every millisecond while names are waited
                                           * for; may be null */
    void *waiting_context;
};

/* Zeroed memory. False: no memory; stacks_deinit() in any case. */
bool stacks_init(struct stacks *stacks);
void stacks_deinit(struct stacks *stacks);

/* The location that stands for outer frames that are left out; 0 when memory is short. */
uint32_t stacks_truncated(struct stacks *stacks);

/* The node of a location on top of `parent`; 0, and memory_short, when there is no memory. */
static inline uint32_t stacks_child(struct stacks *stacks, uint32_t parent, uint32_t location)
{
    uint32_t child = stack_tree_child(&stacks->tree, parent, location);
    if (__builtin_expect(child == 0, 0))
        NOTE_HERE(&stacks->memory_short);
    return child;
}

#endif
