/*
 * Open addressing with linear probing, at most half full.
 */
#include "viewer/html/index.h"

#include <stdlib.h>
#include <string.h>

#include "viewer/base/memory.h"

#define KEY_FREE       UINT64_MAX
#define CAPACITY_FIRST 256u

void index_deinit(struct index *index)
{
    free(index->keys);
    free(index->values);
    *index = (struct index){0};
}

/* Where the key is, or would be. */
static size_t index_slot(const struct index *index, uint64_t key)
{
    size_t at = hash_number(&index->seed, key) & (index->capacity - 1);
    while (index->keys[at] != key && index->keys[at] != KEY_FREE)
        at = (at + 1) & (index->capacity - 1);
    return at;
}

static void index_grow(struct index *index)
{
    struct index old = *index;
    index->seed = hash_seed_new();
    index->capacity = old.capacity ? old.capacity * 2 : CAPACITY_FIRST;
    index->keys = memory_resize(NULL, index->capacity, sizeof *index->keys);
    index->values = memory_resize(NULL, index->capacity, sizeof *index->values);
    memset(index->keys, 0xff, index->capacity * sizeof *index->keys);
    for (size_t i = 0; i < old.capacity; i++) {
        if (old.keys[i] == KEY_FREE)
            continue;
        size_t at = index_slot(index, old.keys[i]);
        index->keys[at] = old.keys[i];
        index->values[at] = old.values[i];
    }
    free(old.keys);
    free(old.values);
}

uint32_t index_add(struct index *index, uint64_t key, uint32_t value)
{
    if (index->count * 2 >= index->capacity)
        index_grow(index);
    size_t at = index_slot(index, key);
    if (index->keys[at] == KEY_FREE) {
        index->keys[at] = key;
        index->values[at] = value;
        index->count++;
    }
    return index->values[at];
}
