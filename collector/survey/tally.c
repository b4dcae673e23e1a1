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
    const struct counters *counters; /* null: it is inherited */
    uint64_t resident;
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

static void note_holder(struct tally *tally, uint32_t region, uint32_t location, uint64_t bytes)
{
    uint32_t *number = index_at(&tally->by_holder, (uint64_t)region << 32 | location);
    if (number && !*number) {
        struct survey_holder *holders = array_grow(tally->holders, &tally->holder_capacity,
                                                   tally->holder_count + 1, sizeof *holders);
        if (holders) {
            tally->holders = holders;
            holders[tally->holder_count] =
                (struct survey_holder){.region = region - 1, .location = location};
            *number = ++tally->holder_count;
            tally->regions[region - 1].lines++;
        }
    }
    if (!number || !*number) {
        tally->is_short = true;
        return;
    }
    tally->holders[*number - 1].blocks++;
    tally->holders[*number - 1].bytes += bytes;
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
    if (tally->tree) {
        uint32_t node =
            tallied->counters ? counters_at(tallied->counters, block->counter)->node : 0;
        note_holder(tally, region, stack_tree_node(tally->tree, node)->location, block_size(block));
    }
}

static void note_part(void *context, uint32_t segment, uint64_t bytes)
{
    struct tallied *tallied = context;
    tallied->tally->ground->segments[segment].block_bytes += bytes;
    tallied->resident += bytes;
    if (tallied->segment == UINT32_MAX)
        tallied->segment = segment;
}

static void tally_block(struct tally *tally, const struct block *block,
                        const struct counters *counters)
{
    struct tallied tallied = {tally, block, counters, 0, UINT32_MAX};
    uint64_t size = block_size(block);
    unsigned kind =
        counters ? counters_at(counters, block->counter)->allocator : (unsigned)RESIDENT_INHERITED;
    cells_of(tally->cells, block->address, block->address + (size ? size : 1), note_part, &tallied);
    if (tallied.segment == UINT32_MAX || kind > RESIDENT_INHERITED)
        return;
    struct segment *segment = &tally->ground->segments[tallied.segment];
    segment->block_bytes -= !size; /* it was looked up as one byte */
    tallied.resident -= !size;
    segment->overhead += overhead_of(tally, segment, size);
    segment->blocks++;
    tally->bytes[kind] += tallied.resident;
    tally->blocks[kind]++;
    note_region(&tallied, segment);
}

static void tally_inherited(void *context, const struct block *block)
{
    tally_block(context, block, NULL);
}

void tally_blocks(struct tally *tally, const struct book *book)
{
    const struct block *blocks = book->heap.blocks.data;
    tally->region_of = calloc(tally->ground->count + 1, sizeof *tally->region_of);
    tally->pools = calloc(tally->ground->count + 1, sizeof *tally->pools);
    if (!tally->region_of || !tally->pools || !index_init(&tally->by_holder)) {
        tally->is_short = true;
        return;
    }
    for (uint32_t i = 1; i < book->heap.blocks_used; i++)
        if (blocks[i].counter)
            tally_block(tally, &blocks[i], &book->counters);
    inheritance_each(book, tally_inherited, tally);
}

void tally_deinit(struct tally *tally)
{
    for (uint32_t i = 0; tally->pools && i < tally->ground->count; i++)
        free(tally->pools[i]);
    free(tally->pools);
    free(tally->region_of);
    free(tally->regions);
    free(tally->holders);
    index_deinit(&tally->by_holder);
}
