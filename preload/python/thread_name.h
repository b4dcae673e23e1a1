/*
 * Telling the reader what Python calls a thread: the kernel's name of it is mostly the program's
 * (schema/wire.h, WIRE_MARK_THREAD_NAME).
 */
#ifndef HEAPLINE_PRELOAD_THREAD_NAME_H
#define HEAPLINE_PRELOAD_THREAD_NAME_H

#include "preload/thread/thread_state.h"

/* How often the calling thread's name may be asked for; 0 for the main thread, whose name nobody
 * needs. */
uint8_t thread_name_tries(void);

/* Sends the name of the thread, whose stack is so deep, once it has one; counts down its tries. */
void thread_name_tell(struct thread_state *thread, uint32_t depth);

#endif
