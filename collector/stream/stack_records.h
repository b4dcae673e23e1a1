/*
 * What a process says of its threads' stacks: records of levels, and the changes that come with an
 * allocation. A stack becomes a node of the run's tree when something is allocated in it.
 */
#ifndef HEAPLINE_COLLECTOR_STACK_RECORDS_H
#define HEAPLINE_COLLECTOR_STACK_RECORDS_H

#include "assertion.h"
#include "collector/stream/cursor.h"

/* These handle a record and return its words. */
unsigned on_stack(struct cursor *cursor, uint64_t first);
unsigned on_native(struct cursor *cursor, uint64_t first);
unsigned on_chain(struct cursor *cursor, uint64_t first);

/* The node of the innermost `frames_max` frames. */
uint32_t stack_node_of_innermost(struct stacks *stacks, const struct thread_mirror *thread);

/* The node of the thread's stack. */
static inline uint32_t stack_node(struct stacks *stacks, struct thread_mirror *thread)
{
    if (__builtin_expect(stacks->frames_max != 0, 0))
        return stack_node_of_innermost(stacks, thread);
    if (__builtin_expect(thread->is_merged, 0)) {
        thread->valid = 0; /* nodes of another stack */
        thread->is_merged = false;
    }
    uint32_t level = thread->valid;
    uint32_t node = level ? thread->levels[level - 1].node : 0;
    if (level >= thread->depth)
        return thread->depth ? thread->levels[thread->depth - 1].node : 0;
    for (; level < thread->depth; level++) {
        struct mirror_level *at = &thread->levels[level];
        if (at->location) {
            node = stacks_child(stacks, node, at->location);
        }
        at->node = node;
    }
    thread->valid = level;
    ASSERT(thread_mirror_is_sound(thread));
    return node;
}

/* Applies what an ALLOCATION says of the stack; false when it cannot be. */
static inline bool stack_apply_change(struct cursor *cursor, struct thread_mirror *thread,
                                      uint64_t first, uint64_t second)
{
    uint32_t change = (uint32_t)(first >> WIRE_DEPTH_CHANGE_SHIFT & WIRE_DEPTH_CHANGE_MASK);
    uint32_t depth = thread->depth + change - WIRE_DEPTH_CHANGE_BIAS;
    if (depth > thread->known) /* also a depth below zero */
        return false;
    thread->depth = depth;
    if (second & WIRE_INSTRUCTION_BIT) {
        if (depth == 0 || thread->levels[depth - 1].code == 0)
            return false;
        struct mirror_level *leaf = &thread->levels[depth - 1];
        uint32_t location = codes_locate(&cursor->run->stacks.codes, leaf->code,
                                         (uint32_t)(second & WIRE_INSTRUCTION_MASK));
        if (location != leaf->location) {
            leaf->location = location;
            if (depth - 1 < thread->valid)
                thread->valid = depth - 1;
        }
    }
    return true;
}

/* Is what is known of the thread's stack right? It is when the thread goes on before the end of the
 * doubt, for its own words were not passed over then. */
bool stack_is_certain(const struct cursor *cursor, struct thread_mirror *thread);

/* As stack_apply_change(), which has failed: it may have because of a doubt that is none any more.
 */
bool stack_apply_doubted(struct cursor *cursor, struct thread_mirror *thread, uint64_t first,
                         uint64_t second);

#endif
