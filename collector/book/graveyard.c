/*
 * The table grows with what it holds; after a sweep the slots of what has gone are used again.
 */
#include "collector/book/graveyard.h"

#include "hash.h"

#define LOG2_BUCKETS_AT_FIRST 10u
#define LOG2_BUCKETS_MAX      31u

void graveyard_deinit(struct graveyard *graveyard)
{
    vector_deinit(&graveyard->buckets);
    vector_deinit(&graveyard->graves);
    *graveyard = (struct graveyard){0};
}

static struct grave *grave_at(const struct graveyard *graveyard, uint32_t number)
{
    return (struct grave *)graveyard->graves.data + number;
}

static uint32_t *bucket_of(const struct graveyard *graveyard, uint64_t address)
{
    uint64_t hash = (address >> 4) * graveyard->multiplier;
    return (uint32_t *)graveyard->buckets.data + (hash >> (64 - graveyard->log2_buckets));
}

static void put_first(struct graveyard *graveyard, uint32_t number)
{
    struct block *block = &grave_at(graveyard, number)->block;
    uint32_t *first = bucket_of(graveyard, block->address);
    block->next = *first;
    *first = number;
}

/* False only when there are no buckets at all: chains may grow long where memory is short. */
static bool grow_buckets(struct graveyard *graveyard)
{
    struct vector fresh = {0};
    bool is_first = !graveyard->buckets.data;
    unsigned log2_new = is_first ? LOG2_BUCKETS_AT_FIRST : graveyard->log2_buckets + 1;
    if (log2_new > LOG2_BUCKETS_MAX ||
        !vector_reserve(&fresh, (size_t)1 << log2_new, sizeof(uint32_t)))
        return !is_first;
    if (is_first)
        graveyard->multiplier = hash_multiplier();
    vector_deinit(&graveyard->buckets);
    graveyard->buckets = fresh;
    graveyard->log2_buckets = log2_new;
    for (uint32_t number = 1; number < graveyard->used; number++)
        if (grave_at(graveyard, number)->block.counter)
            put_first(graveyard, number);
    return true;
}

/* A free slot; 0 when memory is short. */
static uint32_t take_place(struct graveyard *graveyard)
{
    uint32_t number = graveyard->free;
    if (number) {
        graveyard->free = grave_at(graveyard, number)->block.next;
        return number;
    }
    number = graveyard->used ? graveyard->used : 1;
    if (number == UINT32_MAX ||
        !vector_reserve(&graveyard->graves, (size_t)number + 1, sizeof(struct grave)))
        return 0;
    graveyard->used = number + 1;
    return number;
}

bool graveyard_add(struct graveyard *graveyard, const struct block *block, uint64_t died)
{
    bool full = !graveyard->buckets.data || graveyard->count >> graveyard->log2_buckets;
    if (full && !grow_buckets(graveyard))
        return false;
    uint32_t number = take_place(graveyard);
    if (!number)
        return false;
    *grave_at(graveyard, number) = (struct grave){*block, died};
    put_first(graveyard, number);
    graveyard->count++;
    return true;
}

const struct grave *graveyard_find(const struct graveyard *graveyard, uint64_t address,
                                   const struct grave *last)
{
    if (!graveyard->count)
        return NULL;
    uint32_t number = last ? last->block.next : *bucket_of(graveyard, address);
    while (number && grave_at(graveyard, number)->block.address != address)
        number = grave_at(graveyard, number)->block.next;
    return number ? grave_at(graveyard, number) : NULL;
}

const struct grave *graveyard_find_block(const struct graveyard *graveyard, uint64_t address,
                                         uint64_t number)
{
    const struct grave *grave = NULL;
    while ((grave = graveyard_find(graveyard, address, grave)) &&
           block_number(&grave->block) != number)
        ;
    return grave;
}

static void give_up(struct graveyard *graveyard, uint32_t number)
{
    struct block *block = &grave_at(graveyard, number)->block;
    block->counter = 0;
    block->next = graveyard->free;
    graveyard->free = number;
    graveyard->count--;
}

void graveyard_remove(struct graveyard *graveyard, uint64_t address, uint64_t number)
{
    if (!graveyard->count)
        return;
    uint32_t *link = bucket_of(graveyard, address);
    for (uint32_t slot; (slot = *link); link = &grave_at(graveyard, slot)->block.next) {
        const struct block *block = &grave_at(graveyard, slot)->block;
        if (block->address != address || block_number(block) != number)
            continue;
        *link = block->next;
        give_up(graveyard, slot);
        return;
    }
}

/* Of one bucket. */
static void sweep_chain(struct graveyard *graveyard, uint32_t *link,
                        bool (*wanted)(void *context, const struct grave *grave), void *context)
{
    for (uint32_t slot; (slot = *link);) {
        struct grave *grave = grave_at(graveyard, slot);
        if (wanted(context, grave)) {
            link = &grave->block.next;
        } else {
            *link = grave->block.next;
            give_up(graveyard, slot);
        }
    }
}

void graveyard_sweep(struct graveyard *graveyard,
                     bool (*wanted)(void *context, const struct grave *grave), void *context)
{
    for (size_t i = 0; graveyard->count && i < (size_t)1 << graveyard->log2_buckets; i++)
        sweep_chain(graveyard, (uint32_t *)graveyard->buckets.data + i, wanted, context);
    if (!graveyard->count)
        graveyard_deinit(graveyard);
}
