/*
 * Which calls fail: a sequence that the input begins, and a chance of its own.
 */
#include "failing.h"

#include <errno.h>

/* One call of so many, at least and at most. */
#define CHANCE_LEAST 4u
#define CHANCE_MOST  64u
#define INPUTS       4u

static uint64_t state;
static uint32_t chance;

static uint32_t next(void)
{
    state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(state >> 33);
}

bool failing_begin(const uint8_t *data, size_t size)
{
    state = size;
    for (size_t i = 0; i < size; i++)
        state = (state ^ data[i]) * UINT64_C(0x100000001b3);
    chance = next() % INPUTS ? 0 : CHANCE_LEAST + next() % (CHANCE_MOST - CHANCE_LEAST);
    return chance != 0;
}

void failing_end(void)
{
    chance = 0;
}

bool failing_now(void)
{
    if (!chance || next() % chance)
        return false;
    errno = ENOMEM;
    return true;
}
