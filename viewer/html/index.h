/*
 * A map from numbers of 64 bits, but the largest, to numbers of 32 bits. It only grows. One thread.
 */
#ifndef HEAPLINE_VIEWER_HTML_INDEX_H
#define HEAPLINE_VIEWER_HTML_INDEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hash.h"

struct index {
    uint64_t *keys;
    uint32_t *values;
    size_t count, capacity;
    struct hash_seed seed;
};

/* Zeroed memory is an empty map. */
void index_deinit(struct index *index);

/* The value of a key. A new key gets `value`. It is the caller's to see which. */
uint32_t index_add(struct index *index, uint64_t key, uint32_t value);

#endif
