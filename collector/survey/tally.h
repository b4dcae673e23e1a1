/*
 * What blocks make of a ground: whose bytes lie in which segment, and which lines have any in the
 * regions that go back to the system as a whole. One thread.
 */
#ifndef HEAPLINE_COLLECTOR_TALLY_H
#define HEAPLINE_COLLECTOR_TALLY_H

#include <stdbool.h>
#include <stdint.h>

#include "collector/book/surveys.h"
#include "collector/survey/cells.h"

struct book;
struct stack_tree;

/* Sums by region and location. */
struct holders {
    struct index numbers;
    struct survey_holder *list;
    uint32_t count, capacity;
};

struct tally {
    struct ground *ground;
    struct cells *cells;
    uint64_t pool_bytes;           /* of pymalloc's */
    const struct stack_tree *tree; /* null: who has blocks where is not asked for */
    /* Live blocks that are resident, by enum resident_kind. */
    uint64_t bytes[RESIDENT_INHERITED + 1], blocks[RESIDENT_INHERITED + 1];
    uint64_t shared[RESIDENT_INHERITED + 1]; /* of the bytes: with other processes */
    uint32_t *region_of; /* by segment: number + 1 of the region; 0: it is none */
    struct survey_region *regions;
    uint32_t region_count, region_capacity;
    struct holders holders;
    struct holders copied; /* of inherited blocks: in pages that are the process's own by now */
    uint8_t **pools;       /* by segment: a bit for each of its pools that has a block */
    bool is_short;         /* of memory: what is there is not all */
};

/* `tally` has its first four members set. tally_deinit() in any case. */
void tally_blocks(struct tally *tally, const struct book *book);
void tally_deinit(struct tally *tally);

#endif
