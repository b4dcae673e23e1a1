/*
 * The calling thread as CPython has it. Inlined into the walk.
 */
#ifndef HEAPLINE_PRELOAD_PYTHON_THREAD_H
#define HEAPLINE_PRELOAD_PYTHON_THREAD_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "preload/python/python_frame.h"
#include "preload/python/python_layout.h"

/* Is the state that is current the calling thread's, though not its main one? */
static inline bool python_thread_owns(uintptr_t state)
{
    return frame_load(state, python_layout.at.thread_id) == (uintptr_t)pthread_self();
}

/* The calling thread's state; 0: Python does not know the thread. */
static inline __attribute__((always_inline)) uintptr_t python_thread_state(void)
{
    uintptr_t current = (uintptr_t)python_layout.current_thread_state();
    if (!python_layout.rules.thread_state_is_shared)
        return current ? current : (uintptr_t)python_layout.own_thread_state();
    /* Up to 3.11 the current thread state is that of whoever holds the GIL. */
    uintptr_t own = (uintptr_t)python_layout.own_thread_state();
    if (current == own || !current || !own)
        return own;
    /* Not this thread's main one: maybe its state in a sub-interpreter. */
    return python_thread_owns(current) ? current : own;
}

/* The innermost frame of a thread state that is not 0; 0: none. */
static inline uintptr_t python_thread_frame(uintptr_t state)
{
    uintptr_t holder = state;
    if (python_layout.rules.has_frame_holder)
        holder = frame_load(state, python_layout.at.frame_holder);
    return holder ? frame_load(holder, python_layout.at.current_frame) : 0;
}

/* Does the calling thread hold the interpreter? For those that somebody holds and who can only be
 * the caller: up to 3.11 another thread's state may be looked at otherwise. */
static inline bool python_thread_holds_interpreter(void)
{
    uintptr_t current = (uintptr_t)python_layout.current_thread_state();
    if (!python_layout.rules.thread_state_is_shared || !current)
        return current != 0;
    return current == (uintptr_t)python_layout.own_thread_state() || python_thread_owns(current);
}

#endif
