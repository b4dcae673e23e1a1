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

/* How many of the powers 1, 10, … are below the value. */
static inline uint8_t lifetime_class(uint64_t value)
{
    uint64_t power = 1;
    uint8_t decade = 0;
    for (; value > power && decade < LIFETIME_CLASSES - 1; power *= 10)
        decade++;
    return decade;
}

/* Clocks in milliseconds; they may have passed 2^32 once. */
static inline struct lifetime lifetime_of(uint64_t age, uint32_t born_ms, uint32_t died_ms)
{
    return (struct lifetime){lifetime_class(age),
                             lifetime_class((uint64_t)(died_ms - born_ms) + 1)};
}

#endif
