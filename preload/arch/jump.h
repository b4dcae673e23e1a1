/*
 * Jumps in machine code.
 */
#ifndef HEAPLINE_PRELOAD_JUMP_H
#define HEAPLINE_PRELOAD_JUMP_H

#include <stdint.h>

/* Where a near jump leads, conditional or not, whose instruction would begin at an address and end
 * before `end`; 0: none does. All between the two can be read. */
uintptr_t jump_target(uintptr_t at, uintptr_t end);

#endif
