/*
 * Jumps are looked for at every byte, not only where an instruction begins: to find out where those
 * begin would take a disassembler. That some other bytes look like a jump whose target lies in the
 * one function in question is possible and next to never so: there is no such place in the 600 KB
 * of split-off parts in Debian's CPython 3.11.
 */
#include "preload/native/native_function.h"

#include <stddef.h>
#include <string.h>

/* The length of a near jump, conditional or not, that would begin here; 0: none does. */
static size_t jump_length(const unsigned char *code)
{
    if (code[0] == 0xe9)
        return 5;
    return code[0] == 0x0f && (code[1] & 0xf0) == 0x80 ? 6 : 0;
}

bool native_function_jumps_into(const struct native_function *function,
                                const struct native_function *other)
{
    int32_t distance;
    for (uintptr_t at = function->start; at + sizeof distance < function->end; at++) {
        size_t length = jump_length((const unsigned char *)at);
        if (length == 0 || at + length > function->end)
            continue;
        memcpy(&distance, (const char *)at + length - sizeof distance, sizeof distance);
        uintptr_t target = at + length + (uintptr_t)(intptr_t)distance;
        if (target > other->start && target < other->end)
            return true;
    }
    return false;
}
