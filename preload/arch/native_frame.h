/*
 * Native frames as the processor's calls make them: native_frame_inline.h in its folder
 * (processor.h), which also says
 *
 * NATIVE_RETURN_BYTES    how far below the caller's stack pointer the return address lies that a
 *                        call leaves; where a function begins there is nothing else of its frame
 * NATIVE_RED_ZONE_BYTES  what a frame may use below its stack pointer: a signal handler leaves it
 *                        alone, and what a function that is about to return has restored lies there
 *                        still
 */
#ifndef HEAPLINE_PRELOAD_NATIVE_FRAME_H
#define HEAPLINE_PRELOAD_NATIVE_FRAME_H

#include <stdint.h>

#include "preload/arch/native_registers.h"

/* The registers of the caller of a function that has a frame pointer and that frame address. */
static inline struct native_registers native_frame_caller(uintptr_t frame);

#include "native_frame_inline.h"

#endif
