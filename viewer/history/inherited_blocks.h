/*
 * The blocks that a forked process was forked with, one by one: by playing the histories of those
 * it descends from.
 *
 * What has been played is kept: the next child of the same parent costs what the parent has done
 * since.
 */
#ifndef HEAPLINE_VIEWER_HISTORY_INHERITED_BLOCKS_H
#define HEAPLINE_VIEWER_HISTORY_INHERITED_BLOCKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "viewer/recording/database.h"

/* What a counter stands for. */
struct block_kind {
    uint32_t node, thread;
    uint8_t allocator;
};

struct inherited_block {
    uint64_t number; /* in the process */
    uint64_t size;
    struct block_kind kind;
};

struct inherited_blocks {
    struct inherited_block *slots; /* a hash table by number; size FREE_SLOT: free */
    size_t capacity, count;
    uint32_t process; /* whose history has been played up to `events`; 0: nobody's */
    uint64_t events;
};

/* Those of the process with this id, in the order of their numbers, in an array that the caller
 * frees. False, with a problem in the database, when a history is damaged. Zeroed at first; needs
 * inherited_blocks_deinit(). */
bool inherited_blocks_find(struct inherited_blocks *blocks, struct database *database,
                           uint32_t process, struct inherited_block **list, size_t *count);
void inherited_blocks_deinit(struct inherited_blocks *blocks);

#endif
