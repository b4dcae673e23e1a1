/*
 * The check build's second opinion: after every ALLOCATION the stack is walked in full, plainly,
 * and compared with what the reader has been told. The first difference aborts the program.
 */
#ifndef HEAPLINE_PRELOAD_WALK_CHECK_H
#define HEAPLINE_PRELOAD_WALK_CHECK_H

#include "preload/python/python_walk.h"

void walk_check(const struct thread_state *thread, const struct stack_update *update);

#endif
