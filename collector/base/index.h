/*
 * A map from 64-bit keys to 32-bit numbers: open addressing, doubled at three quarters. Keys are
 * never removed. Whoever chooses the keys cannot choose where they stand (hash.h). One thread at a
 * time.
 */
#ifndef HEAPLINE_COLLECTOR_INDEX_H
#define HEAPLINE_COLLECTOR_INDEX_H

#include <stdbool.h>
#include <stdint.h>

#include "collector/base/vector.h"
#include "hash.h"

struct index_entry {
    uint64_t key;
    uint32_t value; /* 0: the entry is free */
    uint32_t reserved;
};

struct index {
    struct vector entries;
    uint64_t mask;
    uint64_t count;
    struct hash_seed slots; /* of entries; another one when look-ups get long */
    struct hash_seed keys;  /* of index_key(), for good */
    uint64_t wasted;        /* on long look-ups */
};

bool index_init(struct index *index);
void index_deinit(struct index *index);

/* The slot of a key's value; 0 in it means that the key is new, and the caller must then set it to
 * something else. Valid until the next call. Null: no memory. */
uint32_t *index_at(struct index *index, uint64_t key);

/* A key's value, 0 when it has none; adds nothing. */
uint32_t index_find(const struct index *index, uint64_t key);

/* A key for what is no number. `salt` tells apart what has the same bytes. Others may have the same
 * key by chance, but not on purpose: who must not confuse two values compares them. */
uint64_t index_key(const struct index *index, uint64_t salt, const void *data, size_t bytes);

#endif
