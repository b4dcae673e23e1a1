/*
 * Hashing of what others choose: addresses, sizes, names, lines come from traced processes and from
 * files. Every table has a secret of its own, so that nobody can choose keys that meet in it, and a
 * table in which look-ups take long all the same is built anew with another one.
 *
 * The secrets come from the kernel (getrandom). Any thread.
 */
#ifndef HEAPLINE_SCHEMA_HASH_H
#define HEAPLINE_SCHEMA_HASH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct hash_seed {
    uint64_t mask, multiplier;
};

/* Steps of one look-up that a table takes without a thought. */
#define HASH_STEPS_FREE 64u

/* 64 random bits, never 0. */
uint64_t hash_random(void);
struct hash_seed hash_seed_new(void);

/* A random odd number whose multiples, seen as fractions of 2^64, lie as evenly as those of the
 * golden ratio, or nearly: the highest bits of i * multiplier spread numbers that follow on each
 * other over a table with hardly a collision, and any two numbers collide by chance alone. */
uint64_t hash_multiplier(void);

/* All bits of the result can be used. */
static inline uint64_t hash_number(const struct hash_seed *seed, uint64_t number)
{
    unsigned __int128 product = (unsigned __int128)(number ^ seed->mask) * seed->multiplier;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

/* A place among 2^log2 for what is remembered for a while: two numbers that meet there cost a
 * look-up that had been saved, and no more, so there is no secret in it. */
static inline uint32_t hash_place(uint32_t number, unsigned log2)
{
    return number * UINT32_C(0x9e3779b1) >> (32 - log2);
}

/* As hash_number(), of bytes; `salt` tells apart what is hashed with the same seed. */
uint64_t hash_data(const struct hash_seed *seed, uint64_t salt, const void *data, size_t bytes);

/* After a look-up of so many steps: is the table, of so many entries, to be built anew with another
 * seed? It is when long look-ups have cost together what that costs. *wasted is the table's. */
static inline bool hash_is_outworn(uint64_t *wasted, uint64_t steps, uint64_t entries)
{
    if (__builtin_expect(steps <= HASH_STEPS_FREE, 1))
        return false;
    *wasted += steps;
    if (*wasted <= entries)
        return false;
    *wasted = 0;
    return true;
}

#endif
