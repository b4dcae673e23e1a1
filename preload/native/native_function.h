/*
 * Looking at the machine code of a function.
 */
#ifndef HEAPLINE_PRELOAD_NATIVE_FUNCTION_H
#define HEAPLINE_PRELOAD_NATIVE_FUNCTION_H

#include <stdbool.h>
#include <stdint.h>

/* Where its code begins, and the address behind it. */
struct native_function {
    uintptr_t start, end;
};

/* Does code of `function` jump into the midst of `other`, as parts of one function do? */
bool native_function_jumps_into(const struct native_function *function,
                                const struct native_function *other);

#endif
