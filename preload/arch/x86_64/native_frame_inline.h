/*
 * x86-64 (native_frame.h): the System V ABI. The frame pointer's caller's value lies where it
 * points to, and the return address behind that.
 */
#ifndef HEAPLINE_PRELOAD_NATIVE_FRAME_INLINE_H
#define HEAPLINE_PRELOAD_NATIVE_FRAME_INLINE_H

#include <stdint.h>

#include "preload/arch/native_registers.h"

#define NATIVE_RETURN_BYTES   8u
#define NATIVE_RED_ZONE_BYTES 128u

static inline struct native_registers native_frame_caller(uintptr_t frame)
{
    const uintptr_t *saved = (const uintptr_t *)frame;
    return (struct native_registers){
        .ip = saved[1], .sp = frame + 2 * sizeof *saved, .bp = saved[0]};
}

#endif
