/*
 * Jumps are looked for at every byte, not only where an instruction begins: to find out where those
 * begin would take a disassembler. That some other bytes look like a jump whose target lies in the
 * one function in question is possible and next to never so: there is no such code in the 600 KB
 * of split-off parts in Debian's CPython 3.11.
 */
#include "preload/native/native_function.h"

#include "preload/arch/jump.h"

bool native_function_jumps_into(const struct native_function *function,
                                const struct native_function *other)
{
    for (uintptr_t at = function->start; at < function->end; at++) {
        uintptr_t target = jump_target(at, function->end);
        if (target > other->start && target < other->end)
            return true;
    }
    return false;
}
