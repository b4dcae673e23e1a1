/*
 * A map from 64-bit keys to 32-bit numbers: open addressing, doubled at three quarters. Keys are
 * never removed. One thread at a time.
 */
#ifndef HEAPLINE_COLLECTOR_INDEX_H
#define HEAPLINE_COLLECTOR_INDEX_H

#include <stdbool.h>
#include <stdint.h>

#include "vector.h"

struct index_entry {
    uint64_t key;
    uint32_t value; /* 0: the entry is free */
    uint32_t reserved;
};

struct index {
    struct vector entries;
    uint64_t mask;
    uint64_t count;
};

bool index_init(struct index *index);
void index_deinit(struct index *index);

/* The place of a key's value; 0 in it means that the key is new, and the caller must then set it to
 * something else. Valid until the next call. Null: no memory. */
uint32_t *index_at(struct index *index, uint64_t key);

/* A key's value, 0 when it has none; adds nothing. */
uint32_t index_find(const struct index *index, uint64_t key);

/* Mixes bytes into a hash of 64 bits; begin with any seed. Not for hostile keys: who must not
 * confuse two values compares them. */
uint64_t hash_bytes(uint64_t seed, const void *data, size_t bytes);

#endif
