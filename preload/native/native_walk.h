/*
 * The calling thread's native stack, brought up to date with the reader.
 *
 * The reader has an array of levels for it, as for the Python stack (schema/wire.h). Only frames
 * outside the shim are in it.
 */
#ifndef HEAPLINE_PRELOAD_NATIVE_WALK_H
#define HEAPLINE_PRELOAD_NATIVE_WALK_H

#include <stdbool.h>
#include <stdint.h>

#include "preload/thread/thread_state.h"

/* Native stacks are recorded from now on, if that can be: shim_walks_native. Once, at start. */
void native_walk_enable(void);

/* Sends what has changed since the thread's last call. `frame` is the frame address of the hook:
 * its caller is the innermost level. After python_stack_update(); `has_python` says whether that
 * knows the stack. False: the native stack is not known; where a record could not be sent,
 * thread->resend is set. */
bool native_stack_update(struct thread_state *thread, uintptr_t frame, bool has_python);

#endif
