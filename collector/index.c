/*
 * The map's look-up and growth.
 */
#include "index.h"

#include <string.h>

#define ENTRIES_AT_FIRST 1024u

static uint64_t mix(uint64_t key)
{
    key ^= key >> 32;
    key *= UINT64_C(0xd6e8feb86659fd93);
    key ^= key >> 32;
    key *= UINT64_C(0xd6e8feb86659fd93);
    return key ^ key >> 32;
}

uint64_t hash_bytes(uint64_t seed, const void *data, size_t bytes)
{
    const unsigned char *at = data;
    uint64_t hash = mix(seed ^ bytes);
    for (; bytes >= 8; bytes -= 8, at += 8) {
        uint64_t word;
        memcpy(&word, at, sizeof word);
        hash = mix(hash ^ word) + UINT64_C(0x9e3779b97f4a7c15);
    }
    uint64_t rest = 0;
    memcpy(&rest, at, bytes);
    return mix(hash ^ rest);
}

bool index_init(struct index *index)
{
    *index = (struct index){.mask = ENTRIES_AT_FIRST - 1};
    return vector_reserve(&index->entries, ENTRIES_AT_FIRST, sizeof(struct index_entry));
}

void index_deinit(struct index *index)
{
    vector_deinit(&index->entries);
}

static struct index_entry *find(const struct index *index, uint64_t key)
{
    struct index_entry *entries = index->entries.data;
    uint64_t at = mix(key) & index->mask;
    while (entries[at].value && entries[at].key != key)
        at = (at + 1) & index->mask;
    return &entries[at];
}

static bool grow(struct index *index)
{
    struct index bigger = {.mask = index->mask * 2 + 1, .count = index->count};
    if (!vector_reserve(&bigger.entries, bigger.mask + 1, sizeof(struct index_entry)))
        return false;
    const struct index_entry *entries = index->entries.data;
    for (uint64_t at = 0; at <= index->mask; at++)
        if (entries[at].value)
            *find(&bigger, entries[at].key) = entries[at];
    index_deinit(index);
    *index = bigger;
    return true;
}

uint32_t *index_at(struct index *index, uint64_t key)
{
    if (index->count >= index->mask / 4 * 3 && !grow(index))
        return NULL;
    struct index_entry *entry = find(index, key);
    if (!entry->value) {
        entry->key = key;
        index->count++;
    }
    return &entry->value;
}

uint32_t index_find(const struct index *index, uint64_t key)
{
    return find(index, key)->value;
}
