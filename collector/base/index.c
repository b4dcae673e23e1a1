/*
 * The map's look-up and growth.
 */
#include "collector/base/index.h"

#define ENTRIES_AT_FIRST 1024u

bool index_init(struct index *index)
{
    *index = (struct index){
        .mask = ENTRIES_AT_FIRST - 1, .slots = hash_seed_new(), .keys = hash_seed_new()};
    return vector_reserve(&index->entries, ENTRIES_AT_FIRST, sizeof(struct index_entry));
}

void index_deinit(struct index *index)
{
    vector_deinit(&index->entries);
}

static struct index_entry *index_find_entry(const struct index *index, uint64_t key,
                                            uint64_t *steps)
{
    struct index_entry *entries = index->entries.data;
    uint64_t first = hash_number(&index->slots, key), at = first & index->mask;
    for (*steps = 0; entries[at].value && entries[at].key != key; ++*steps)
        at = (at + 1) & index->mask;
    return &entries[at];
}

/* Builds the map anew, with another seed and so many entries. */
static bool index_rebuild(struct index *index, uint64_t mask)
{
    struct index fresh = {.mask = mask, .slots = hash_seed_new(), .keys = index->keys};
    uint64_t steps;
    if (!vector_reserve(&fresh.entries, mask + 1, sizeof(struct index_entry)))
        return false;
    const struct index_entry *entries = index->entries.data;
    for (uint64_t at = 0; at <= index->mask; at++)
        if (entries[at].value) {
            *index_find_entry(&fresh, entries[at].key, &steps) = entries[at];
            fresh.count++;
        }
    index_deinit(index);
    *index = fresh;
    return true;
}

/* What was asked for and never given a value has been counted, but takes no room. */
static bool make_room(struct index *index)
{
    const struct index_entry *entries = index->entries.data;
    index->count = 0;
    for (uint64_t at = 0; at <= index->mask; at++)
        index->count += entries[at].value != 0;
    return index->count < index->mask / 2 || index_rebuild(index, index->mask * 2 + 1);
}

uint32_t *index_at(struct index *index, uint64_t key)
{
    uint64_t steps;
    if (index->count >= index->mask / 4 * 3 && !make_room(index))
        return NULL;
    struct index_entry *entry = index_find_entry(index, key, &steps);
    if (hash_is_outworn(&index->wasted, steps, index->mask) && index_rebuild(index, index->mask))
        entry = index_find_entry(index, key, &steps);
    if (!entry->value) {
        entry->key = key;
        index->count++;
    }
    return &entry->value;
}

uint32_t index_find(const struct index *index, uint64_t key)
{
    uint64_t steps;
    return index_find_entry(index, key, &steps)->value;
}

uint64_t index_key(const struct index *index, uint64_t salt, const void *data, size_t bytes)
{
    return hash_data(&index->keys, salt, data, bytes);
}
