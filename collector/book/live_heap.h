/*
 * The live blocks of one process, by address.
 *
 * A hash table with chains: a bucket is the number of its first block, blocks lie in one array that
 * grows without copying, freed ones are used again, the last first. Memory: 32 bytes a block and 4
 * to 8 bytes of buckets. One thread at a time.
 */
#ifndef HEAPLINE_COLLECTOR_LIVE_HEAP_H
#define HEAPLINE_COLLECTOR_LIVE_HEAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "assertion.h"
#include "collector/base/vector.h"
#include "hash.h"

/* Whole words, each stored by itself: a processor that loads at once what it has just stored in
 * pieces waits for these to reach its cache. */
struct block {
    uint64_t address;
    uint64_t size_and_born;   /* 48 bits, and the low 16 of when it was allocated */
    uint64_t number_and_born; /* 48 bits, and the high 16 */
    uint32_t counter;         /* what it is counted in, not 0; 0: the block is not live */
    uint32_t next;            /* in its bucket, or among the free ones; 0: none */
};

#define BLOCK_BITS 48u
#define BLOCK_MASK ((UINT64_C(1) << BLOCK_BITS) - 1)

/* `number`: the process's n-th allocation, from 0; `born`: see block_born(). */
static inline struct block block_of(uint64_t address, uint64_t size, uint32_t counter,
                                    uint64_t number, uint32_t born)
{
    return (struct block){
        .address = address,
        .size_and_born = (size & BLOCK_MASK) | (uint64_t)born << BLOCK_BITS,
        .number_and_born = (number & BLOCK_MASK) | (uint64_t)(born >> 16) << BLOCK_BITS,
        .counter = counter,
    };
}

static inline uint64_t block_size(const struct block *block)
{
    return block->size_and_born & BLOCK_MASK;
}

static inline uint64_t block_number(const struct block *block)
{
    return block->number_and_born & BLOCK_MASK;
}

/* When the block was allocated, by the history's clock in milliseconds. */
static inline uint32_t block_born(const struct block *block)
{
    return (uint32_t)(block->number_and_born >> BLOCK_BITS << 16 |
                      block->size_and_born >> BLOCK_BITS);
}

/* So many blocks of a page, which begin 16 bytes apart, have buckets side by side; the last page's
 * reach beyond the others'. */
#define LIVE_HEAP_NEIGHBOURS UINT64_C(256)
/* So many blocks take half a megabyte. */
#define LIVE_HEAP_NEAR 16384u

struct live_heap {
    struct vector blocks;  /* struct block; number 0 is not used */
    struct vector buckets; /* uint32_t */
    uint64_t bucket_count; /* a power of two; there are LIVE_HEAP_NEIGHBOURS more */
    uint64_t multiplier;   /* of pages; another one when chains get long */
    unsigned bucket_shift; /* of the product the highest bits are taken */
    uint32_t free_block;
    uint32_t blocks_used; /* numbers given out so far, including 0 */
    uint64_t live;
    uint64_t wasted; /* on long look-ups (hash.h) */
};

/* False: no memory. */
bool live_heap_init(struct live_heap *heap);
void live_heap_deinit(struct live_heap *heap);

/* Doubles the buckets; false: no memory. */
bool live_heap_grow(struct live_heap *heap);

/* A look-up took so many steps. */
void live_heap_note_steps(struct live_heap *heap, uint64_t steps);

/* Neighbouring addresses share cache lines, pages are spread: evenly those that follow on each
 * other, and any others by a chance that nobody knows beforehand. */
static inline uint64_t live_heap_bucket(const struct live_heap *heap, uint64_t address)
{
    uint64_t granule = address >> 4;
    return (granule & (LIVE_HEAP_NEIGHBOURS - 1)) +
           ((granule / LIVE_HEAP_NEIGHBOURS) * heap->multiplier >> heap->bucket_shift);
}

/* Is the table larger than what is always near the processor? */
static inline bool live_heap_is_far(const struct live_heap *heap)
{
    return heap->live > LIVE_HEAP_NEAR;
}

/* Fetches what finding a block will need: first its bucket, and when that has come the first block
 * in it. */
static inline void live_heap_prefetch_bucket(const struct live_heap *heap, uint64_t address)
{
    __builtin_prefetch((const uint32_t *)heap->buckets.data + live_heap_bucket(heap, address));
}

static inline void live_heap_prefetch_block(const struct live_heap *heap, uint64_t address)
{
    const uint32_t *buckets = heap->buckets.data;
    const struct block *blocks = heap->blocks.data;
    __builtin_prefetch(&blocks[buckets[live_heap_bucket(heap, address)]]);
}

/* The block at `address`, whose bucket that is; null: there is none. Void after any change. */
static inline const struct block *live_heap_find_in(const struct live_heap *heap, uint64_t bucket,
                                                    uint64_t address)
{
    const struct block *blocks = heap->blocks.data;
    uint32_t number = ((const uint32_t *)heap->buckets.data)[bucket];
    while (number && blocks[number].address != address)
        number = blocks[number].next;
    return number ? &blocks[number] : NULL;
}

static inline const struct block *live_heap_find(const struct live_heap *heap, uint64_t address)
{
    return live_heap_find_in(heap, live_heap_bucket(heap, address), address);
}

/* Takes the block at `address` out and copies it to *block. False: there is none. */
static inline bool live_heap_remove(struct live_heap *heap, uint64_t address, struct block *block)
{
    struct block *blocks = heap->blocks.data;
    uint32_t *link = (uint32_t *)heap->buckets.data + live_heap_bucket(heap, address);
    uint64_t steps = 0;
    for (uint32_t number; (number = *link); link = &blocks[number].next) {
        if (blocks[number].address != address) {
            steps++;
            continue;
        }
        *block = blocks[number];
        *link = block->next;
        blocks[number].counter = 0;
        blocks[number].next = heap->free_block;
        heap->free_block = number;
        heap->live--;
        if (__builtin_expect(steps > HASH_STEPS_FREE, 0))
            live_heap_note_steps(heap, steps);
        return true;
    }
    if (__builtin_expect(steps > HASH_STEPS_FREE, 0))
        live_heap_note_steps(heap, steps);
    return false;
}

/* Makes room for one more block; false: no memory. Buckets are others then. */
static inline bool live_heap_reserve(struct live_heap *heap)
{
    return __builtin_expect(heap->live < heap->bucket_count, 1) || live_heap_grow(heap);
}

/* Adds a block, for which there is room, to its bucket. `next` of it is not looked at; its address
 * must not be live. False: no memory. */
static inline bool live_heap_add_to(struct live_heap *heap, uint64_t bucket,
                                    const struct block *block)
{
    ASSERT(heap->live < heap->bucket_count && bucket == live_heap_bucket(heap, block->address));
    uint32_t number = heap->free_block;
    struct block *blocks = heap->blocks.data;
    if (number) {
        heap->free_block = blocks[number].next;
        __builtin_prefetch(&blocks[heap->free_block]); /* for the allocation after this one */
    } else {
        number = heap->blocks_used;
        if (!vector_reserve(&heap->blocks, (size_t)number + 1, sizeof *blocks))
            return false;
        blocks = heap->blocks.data;
        heap->blocks_used++;
    }
    uint32_t *first = (uint32_t *)heap->buckets.data + bucket;
    blocks[number].address = block->address;
    blocks[number].size_and_born = block->size_and_born;
    blocks[number].number_and_born = block->number_and_born;
    blocks[number].counter = block->counter;
    blocks[number].next = *first;
    *first = number;
    heap->live++;
    return true;
}

/* As both, wherever it belongs. */
static inline bool live_heap_add(struct live_heap *heap, const struct block *block)
{
    return live_heap_reserve(heap) &&
           live_heap_add_to(heap, live_heap_bucket(heap, block->address), block);
}

#endif
