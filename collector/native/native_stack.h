/*
 * Stacks of Python and native frames in one.
 *
 * In the order of a merged stack the native frames with k evaluation loops below them stand behind
 * the Python frames of the first k loops. The interpreter's own frames are left out, but for those
 * above the innermost loop: down to the function that allocated. The outermost frames of libc and
 * of the python program are left out too: they start every thread alike. One thread.
 *
 * The innermost loops are the same on both sides, the outermost need not be. Where Python knows of
 * more, the native stack is truncated: its mark stands behind the Python frames of the loops that
 * it hides. Where it knows of fewer, the others are another interpreter's, or another greenlet's,
 * whose place in the stack this one has taken. These, and what is outside of Python's first loop,
 * are left out, with a mark; likewise where the way outwards ends before the thread's start.
 */
#ifndef HEAPLINE_COLLECTOR_NATIVE_STACK_H
#define HEAPLINE_COLLECTOR_NATIVE_STACK_H

#include <stdbool.h>
#include <stdint.h>

struct native_space;
struct stacks;
struct thread_mirror;

/* The node of the thread's merged stack. */
uint32_t native_stack_node(struct stacks *stacks, struct native_space *space,
                           struct thread_mirror *thread, bool has_python);

#endif
