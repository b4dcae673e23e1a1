/*
 * Set-up and growth of the table of live blocks. The buckets are rebuilt in place: all chains are
 * taken apart into one list first, so growth needs no second copy of anything.
 */
#include "live_heap.h"

#include <string.h>

#define BUCKETS_AT_FIRST 4096u

bool live_heap_init(struct live_heap *heap)
{
    *heap = (struct live_heap){.bucket_mask = BUCKETS_AT_FIRST - 1, .blocks_used = 1};
    if (vector_reserve(&heap->buckets, BUCKETS_AT_FIRST, sizeof(uint32_t)) &&
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
static uint32_t unchain(struct live_heap *heap)
{
    struct block *blocks = heap->blocks.data;
    uint32_t *buckets = heap->buckets.data;
    uint32_t list = 0;
    for (uint64_t bucket = 0; bucket <= heap->bucket_mask; bucket++)
        for (uint32_t number = buckets[bucket], next; number; number = next) {
            next = blocks[number].next;
            blocks[number].next = list;
            list = number;
        }
    return list;
}

bool live_heap_grow(struct live_heap *heap)
{
    uint64_t buckets = (heap->bucket_mask + 1) * 2;
    if (!vector_reserve(&heap->buckets, buckets, sizeof(uint32_t)))
        return false;
    uint32_t list = unchain(heap);
    heap->bucket_mask = buckets - 1;
    memset(heap->buckets.data, 0, buckets * sizeof(uint32_t));
    struct block *blocks = heap->blocks.data;
    for (uint32_t number = list, next; number; number = next) {
        uint32_t *first =
            (uint32_t *)heap->buckets.data + live_heap_bucket(heap, blocks[number].address);
        next = blocks[number].next;
        blocks[number].next = *first;
        *first = number;
    }
    return true;
}

void live_heap_reserve(struct live_heap *heap, uint64_t blocks)
{
    uint64_t buckets = heap->bucket_mask + 1;
    while (buckets < blocks)
        buckets *= 2;
    if (vector_reserve(&heap->buckets, buckets, sizeof(uint32_t)))
        heap->bucket_mask = buckets - 1;
    vector_reserve(&heap->blocks, blocks + 1, sizeof(struct block));
}

/* In the order of the array, and not of the buckets: that reads memory from front to back. */
void live_heap_visit(const struct live_heap *heap,
                     void (*visit)(void *context, const struct block *block), void *context)
{
    const struct block *blocks = heap->blocks.data;
    for (uint32_t number = 1; number < heap->blocks_used; number++)
        if (blocks[number].counter)
            visit(context, &blocks[number]);
}
