/*
 * Set-up and growth of the table of live blocks, and what is done where chains are long. The
 * buckets are rebuilt in place: all chains are taken apart into one list first, so growth needs no
 * second copy of anything.
 */
#include "collector/book/live_heap.h"

#include <string.h>

#define BUCKETS_AT_FIRST 4096u

/* Makes room for so many buckets, a power of two, without filling them; false: no memory. */
static bool set_buckets(struct live_heap *heap, uint64_t count)
{
    if (!vector_reserve(&heap->buckets, count + LIVE_HEAP_NEIGHBOURS, sizeof(uint32_t)))
        return false;
    heap->bucket_count = count;
    heap->bucket_shift = 64 - (unsigned)__builtin_ctzll(count);
    return true;
}

static uint64_t all_buckets(const struct live_heap *heap)
{
    return heap->bucket_count + LIVE_HEAP_NEIGHBOURS;
}

bool live_heap_init(struct live_heap *heap)
{
    *heap = (struct live_heap){.multiplier = hash_multiplier(), .blocks_used = 1};
    if (set_buckets(heap, BUCKETS_AT_FIRST) &&
        vector_reserve(&heap->blocks, 1, sizeof(struct block)))
        return true;
    live_heap_deinit(heap);
    return false;
}

void live_heap_deinit(struct live_heap *heap)
{
    vector_deinit(&heap->buckets);
    vector_deinit(&heap->blocks);
}

/* Links all live blocks into one list; returns its first. */
static uint32_t unchain_blocks(struct live_heap *heap)
{
    struct block *blocks = heap->blocks.data;
    uint32_t *buckets = heap->buckets.data;
    uint32_t list = 0;
    for (uint64_t bucket = 0; bucket < all_buckets(heap); bucket++)
        for (uint32_t number = buckets[bucket], next; number; number = next) {
            next = blocks[number].next;
            blocks[number].next = list;
            list = number;
        }
    return list;
}

/* Chains the blocks of a list. */
static void chain_blocks(struct live_heap *heap, uint32_t list)
{
    memset(heap->buckets.data, 0, all_buckets(heap) * sizeof(uint32_t));
    struct block *blocks = heap->blocks.data;
    for (uint32_t number = list, next; number; number = next) {
        uint32_t *first =
            (uint32_t *)heap->buckets.data + live_heap_bucket(heap, blocks[number].address);
        next = blocks[number].next;
        blocks[number].next = *first;
        *first = number;
    }
}

bool live_heap_grow(struct live_heap *heap)
{
    uint64_t count = heap->bucket_count * 2;
    if (!vector_reserve(&heap->buckets, count + LIVE_HEAP_NEIGHBOURS, sizeof(uint32_t)))
        return false;
    uint32_t list = unchain_blocks(heap);
    set_buckets(heap, count);
    chain_blocks(heap, list);
    return true;
}

void live_heap_note_steps(struct live_heap *heap, uint64_t steps)
{
    if (!hash_is_outworn(&heap->wasted, steps, heap->live))
        return;
    uint32_t list = unchain_blocks(heap);
    heap->multiplier = hash_multiplier();
    chain_blocks(heap, list);
}
