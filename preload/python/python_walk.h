/*
 * The calling thread's Python stack, brought up to date in its thread state and with the reader.
 */
#ifndef HEAPLINE_PRELOAD_PYTHON_WALK_H
#define HEAPLINE_PRELOAD_PYTHON_WALK_H

#include <stdbool.h>
#include <stdint.h>

#include "preload/thread/thread_state.h"

/* What an ALLOCATION record has to carry so that the reader knows the stack. */
struct stack_update {
    bool known;               /* false: no Python stack */
    bool instruction_changed; /* only the innermost level's instruction has changed, to: */
    uint32_t instruction;
    int32_t depth_change;
};

/* Walks the linked frames and sends what does not fit into an ALLOCATION. When the caller then
 * fails to send that record it must set thread->resend. Reads only memory that the calling thread's
 * own frames keep alive. */
void python_stack_update(struct thread_state *thread, struct stack_update *update);

/* Where on the C stack the thread's innermost evaluation loop keeps what it has begun with; 0: not
 * known. From 3.11 on, after python_stack_update(). */
uintptr_t python_innermost_loop(const struct thread_state *thread);

#endif
