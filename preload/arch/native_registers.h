/*
 * The registers of a native frame that lead to its caller: ip is the address that control will
 * return to there, bp the frame pointer, where functions keep one.
 */
#ifndef HEAPLINE_PRELOAD_NATIVE_REGISTERS_H
#define HEAPLINE_PRELOAD_NATIVE_REGISTERS_H

#include <stdint.h>

struct native_registers {
    uintptr_t ip, sp, bp;
};

#endif
