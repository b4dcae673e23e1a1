/*
 * One pass over the live blocks. What a block costs beside what was asked for is computed:
 *
 *   pymalloc   Objects/obmalloc.c: blocks are multiples of 16 bytes, and each pool that is used
 *              begins with a header of 48
 *   glibc      malloc/malloc.c: a chunk is the block and 8 bytes, a multiple of 16, 32 at least
 *
 * Of other allocators that is not known, and what they have beside blocks is free.
 */
#include "collector/survey/tally.h"

#include <stdlib.h>

#include "collector/base/array.h"
#include "collector/book/book.h"
#include "collector/book/inheritance.h"
#include "collector/python/stack_tree.h"

#define POOL_HEADER_BYTES 48u

/* The block at hand. */
struct tallied {
    struct tally *tally;
    const struct block *block;
    const struct counters *counters; /* that it names one of */
    bool is_inherited;
    uint64_t resident, shared;
    uint32_t segment; /* where it begins; UINT32_MAX: nowhere that is in memory */
};

static uint64_t overhead_of(const struct tally *tally, const struct segment *segment, uint64_t size)
{
    if (segment->kind == GROUND_ARENA)
        return (size + !size + 15) / 16 * 16 - size;
    if (segment->kind != GROUND_REST || tally->ground->has_other_malloc)
        return 0;
    uint64_t chunk = (size + 8 + 15) / 16 * 16;
    return (chunk < 32 ? 32 : chunk) - size;
}

/* 0: it is no region, or memory is short. */
static uint32_t region_at(struct tally *tally, uint32_t number)
{
    const struct segment *segment = &tally->ground->segments[number];
    if (tally->region_of[number] || (segment->kind != GROUND_ARENA && segment->kind != GROUND_REST))
        return tally->region_of[number];
    struct survey_region *regions = array_grow(tally->regions, &tally->region_capacity,
                                               tally->region_count + 1, sizeof *regions);
    if (regions)
        tally->regions = regions;
    tally->is_short |= !regions;
    if (!regions)
        return 0;
    regions[tally->region_count] = (struct survey_region){
        .address = segment->start,
        .bytes = segment->end - segment->start,
        .kind = segment->kind == GROUND_ARENA ? RESIDENT_REGION_ARENA : RESIDENT_REGION_HEAP,
    };
    return tally->region_of[number] = ++tally->region_count;
}

/* Counts a block of a location's. *is_new: its first in that region. False: memory is short. */
static bool holders_add(struct holders *holders, uint32_t region, uint32_t location, uint64_t bytes,
                        bool *is_new)
{
    uint32_t *number = index_at(&holders->numbers, (uint64_t)region << 32 | location);
    *is_new = number && !*number;
    if (*is_new) {
        struct survey_holder *list =
            array_grow(holders->list, &holders->capacity, holders->count + 1, sizeof *list);
        if (!list)
            return false;
        holders->list = list;
        list[holders->count] = (struct survey_holder){.region = region, .location = location};
        *number = ++holders->count;
    }
    if (!number)
        return false;
    holders->list[*number - 1].blocks++;
    holders->list[*number - 1].bytes += bytes;
    return true;
}

static void holders_deinit(struct holders *holders)
{
    free(holders->list);
    index_deinit(&holders->numbers);
}

/* The pool has a header, once one block in it is known. */
static void note_pool(struct tally *tally, struct segment *segment, uint8_t **pools,
                      uint64_t address)
{
    if (address < segment->start)
        return; /* what begins before an arena is none of its blocks */
    uint64_t pool = (address - segment->start) / tally->pool_bytes;
    if (!*pools)
        *pools = calloc((segment->end - segment->start) / tally->pool_bytes / 8 + 1, 1);
    if (!*pools || (*pools)[pool / 8] >> (pool % 8) & 1)
        return;
    (*pools)[pool / 8] |= (uint8_t)(1u << (pool % 8));
    segment->overhead += POOL_HEADER_BYTES;
}

static uint32_t location_of(const struct tallied *tallied)
{
    uint32_t node = counters_at(tallied->counters, tallied->block->counter)->node;
    return stack_tree_node(tallied->tally->tree, node)->location;
}

/* Of a block that is inherited. */
static void note_copied(const struct tallied *tallied)
{
    struct tally *tally = tallied->tally;
    uint64_t bytes = tallied->resident - tallied->shared;
    bool is_new;
    if (bytes && tally->tree &&
        !holders_add(&tally->copied, 0, location_of(tallied), bytes, &is_new))
        tally->is_short = true;
}

static void note_region(const struct tallied *tallied, struct segment *segment)
{
    struct tally *tally = tallied->tally;
    const struct block *block = tallied->block;
    uint32_t region = region_at(tally, tallied->segment);
    if (!region)
        return;
    tally->regions[region - 1].blocks++;
    tally->regions[region - 1].used += tallied->resident;
    if (segment->kind == GROUND_ARENA)
        note_pool(tally, segment, &tally->pools[tallied->segment], block->address);
    bool is_new = false;
    if (tally->tree &&
        !holders_add(&tally->holders, region - 1, location_of(tallied), block_size(block), &is_new))
        tally->is_short = true;
    tally->regions[region - 1].lines += is_new;
}

static void note_part(void *context, const struct cell *cell, uint64_t bytes)
{
    struct tallied *tallied = context;
    struct segment *segment = &tallied->tally->ground->segments[cell->segment];
    segment->block_bytes += bytes;
    segment->shared_blocks += cell->is_shared ? bytes : 0;
    tallied->resident += bytes;
    tallied->shared += cell->is_shared ? bytes : 0;
    if (tallied->segment == UINT32_MAX)
        tallied->segment = cell->segment;
}

static void note_place(void *context, const struct cell *cell, uint64_t bytes)
{
    struct tallied *tallied = context;
    (void)bytes;
    tallied->segment = cell->segment;
}

static void tally_block(struct tallied *tallied)
{
    struct tally *tally = tallied->tally;
    const struct block *block = tallied->block;
    uint64_t size = block_size(block);
    unsigned kind = tallied->is_inherited
                        ? (unsigned)RESIDENT_INHERITED
                        : counters_at(tallied->counters, block->counter)->allocator;
    tallied->segment = UINT32_MAX;
    cells_of(tally->cells, block->address, block->address + size, note_part, tallied);
    if (!size) /* it has a place all the same */
        cells_of(tally->cells, block->address, block->address + 1, note_place, tallied);
    if (tallied->segment == UINT32_MAX || kind > RESIDENT_INHERITED)
        return;
    struct segment *segment = &tally->ground->segments[tallied->segment];
    segment->overhead += overhead_of(tally, segment, size);
    tally->bytes[kind] += tallied->resident;
    tally->shared[kind] += tallied->shared;
    tally->blocks[kind]++;
    note_region(tallied, segment);
    if (tallied->is_inherited)
        note_copied(tallied);
}

static void tally_inherited(void *context, const struct block *block,
                            const struct counters *counters)
{
    struct tallied tallied = {
        .tally = context, .block = block, .counters = counters, .is_inherited = true};
    tally_block(&tallied);
}

void tally_blocks(struct tally *tally, const struct book *book)
{
    const struct block *blocks = book->heap.blocks.data;
    tally->region_of = calloc(tally->ground->count + 1, sizeof *tally->region_of);
    tally->pools = calloc(tally->ground->count + 1, sizeof *tally->pools);
    if (!tally->region_of || !tally->pools || !index_init(&tally->holders.numbers) ||
        !index_init(&tally->copied.numbers)) {
        tally->is_short = true;
        return;
    }
    for (uint32_t i = 1; i < book->heap.blocks_used; i++)
        if (blocks[i].counter)
            tally_block(&(struct tallied){
                .tally = tally, .block = &blocks[i], .counters = &book->counters});
    inheritance_each(book, tally_inherited, tally);
}

void tally_deinit(struct tally *tally)
{
    for (uint32_t i = 0; tally->pools && i < tally->ground->count; i++)
        free(tally->pools[i]);
    free(tally->pools);
    free(tally->region_of);
    free(tally->regions);
    holders_deinit(&tally->holders);
    holders_deinit(&tally->copied);
}
