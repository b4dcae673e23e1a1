/*
 * An opcode of one byte or of two, and the distance in four behind it, from the next instruction
 * on.
 */
#include "preload/arch/jump.h"

#include <stddef.h>
#include <string.h>

#define LENGTH_LEAST 5u

/* 0: it is none. */
static size_t length_of(const unsigned char *code)
{
    if (code[0] == 0xe9)
        return 5;
    return code[0] == 0x0f && (code[1] & 0xf0) == 0x80 ? 6 : 0;
}

uintptr_t jump_target(uintptr_t at, uintptr_t end)
{
    int32_t distance;
    if (end - at < LENGTH_LEAST)
        return 0;
    size_t length = length_of((const unsigned char *)at);
    if (length == 0 || end - at < length)
        return 0;
    memcpy(&distance, (const char *)at + length - sizeof distance, sizeof distance);
    return at + length + (uintptr_t)(intptr_t)distance;
}
