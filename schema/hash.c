/*
 * Where secrets come from, and hashing of bytes: eight at a time go through the product that
 * numbers go through. Without the secret nobody can say what that makes of a difference.
 */
#include "hash.h"

#include <string.h>
#include <sys/random.h>
#include <time.h>

/* Multiples of a fraction lie unevenly where a partial quotient of it is large. Two in five random
 * numbers have none that is larger. */
#define QUOTIENT_MAX 32u

uint64_t hash_random(void)
{
    uint64_t random = 0;
    struct timespec now;
    /* It fails where a sandbox forbids it: then at least not everybody knows. */
    if (getrandom(&random, sizeof random, GRND_NONBLOCK) != (ssize_t)sizeof random) {
        clock_gettime(CLOCK_MONOTONIC, &now);
        random = ((uint64_t)now.tv_nsec << 32 ^ (uint64_t)now.tv_sec ^ (uintptr_t)&now) *
                 UINT64_C(0x9e3779b97f4a7c15);
    }
    return random ? random : 1;
}

struct hash_seed hash_seed_new(void)
{
    return (struct hash_seed){.mask = hash_random(), .multiplier = hash_random() | 1};
}

/* The partial quotients of multiplier / 2^64, but for the last ones, which say nothing of multiples
 * of numbers of 32 bits. */
static bool is_even(uint64_t multiplier)
{
    unsigned __int128 larger = (unsigned __int128)1 << 64, smaller = multiplier;
    while (smaller > UINT32_MAX) {
        if (larger / smaller > QUOTIENT_MAX)
            return false;
        unsigned __int128 rest = larger % smaller;
        larger = smaller;
        smaller = rest;
    }
    return true;
}

uint64_t hash_multiplier(void)
{
    uint64_t multiplier;
    do
        multiplier = hash_random() | 1;
    while (!is_even(multiplier));
    return multiplier;
}

uint64_t hash_data(const struct hash_seed *seed, uint64_t salt, const void *data, size_t bytes)
{
    const unsigned char *at = data;
    uint64_t hash = hash_number(seed, hash_number(seed, salt) + bytes), word;
    for (; bytes >= sizeof word; bytes -= sizeof word, at += sizeof word) {
        memcpy(&word, at, sizeof word);
        hash = hash_number(seed, hash ^ word);
    }
    word = 0;
    memcpy(&word, at, bytes);
    return hash_number(seed, hash ^ word);
}
