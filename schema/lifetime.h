/*
 * How long blocks lived, in classes by powers of ten.
 *
 * Two measures. The age counts allocations of the process, from the block's own on until its free:
 * 1 when it was freed before the next one. The time counts milliseconds, from when the clock of the
 * stream showed at the allocation to what it showed at the free.
 *
 *   class      0      1         2             …  6                     7
 *   age        1      2…10      11…100           100,001…1,000,000     more
 *   time (ms)  < 1    1…9       10…99            100,000…999,999       more
 */
#ifndef HEAPLINE_SCHEMA_LIFETIME_H
#define HEAPLINE_SCHEMA_LIFETIME_H

#include <stdint.h>

#define LIFETIME_CLASSES 8u

/* A block's classes. */
struct lifetime {
    uint8_t age, time;
};

/* How many blocks lived how long. */
struct lifetimes {
    int64_t by_age[LIFETIME_CLASSES], by_time[LIFETIME_CLASSES];
};

/* How many of the powers 1, 10, … are below the value, which is at least 1. Without branches, for
 * who asks cannot guess: by the number of its binary digits, which says the decimal ones but for
 * one. */
static inline uint8_t lifetime_class(uint64_t value)
{
    static const uint32_t powers[] = {1, 10, 100, 1000, 10000, 100000, 1000000};
    const uint32_t most = powers[LIFETIME_CLASSES - 2];
    uint32_t below = value <= most ? (uint32_t)value - 1 : most;
    unsigned bits = 32 - (unsigned)__builtin_clz(below | 1);
    unsigned digits = bits * 1233 >> 12; /* 1233 / 2^12 is just below log10(2) */
    return (uint8_t)(digits + (below >= powers[digits]));
}

/* Clocks in milliseconds; they may have passed 2^32 once. Most blocks die within the millisecond.
 */
static inline struct lifetime lifetime_of(uint64_t age, uint32_t born_ms, uint32_t died_ms)
{
    uint8_t time = __builtin_expect(died_ms == born_ms, 1)
                       ? 0
                       : lifetime_class((uint64_t)(died_ms - born_ms) + 1);
    return (struct lifetime){lifetime_class(age), time};
}

#endif
