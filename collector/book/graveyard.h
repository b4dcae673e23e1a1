/*
 * Blocks that a process has freed and that others still ask for: its forked children, of what was
 * live when they were forked.
 *
 * A hash table by address; of one address there may be several, which their numbers tell apart. A
 * grave is given up when nobody can ask for it any more (graveyard_sweep()). Memory: 40 bytes a
 * grave and 4 to 8 of buckets. One thread at a time.
 */
#ifndef HEAPLINE_COLLECTOR_GRAVEYARD_H
#define HEAPLINE_COLLECTOR_GRAVEYARD_H

#include <stdbool.h>
#include <stdint.h>

#include "collector/base/vector.h"
#include "collector/book/live_heap.h"

struct grave {
    struct block block; /* `next`: in its bucket, or among the free ones; counter 0: it is free */
    uint64_t died;      /* events of the process before the one that freed it */
};

struct graveyard {
    struct vector buckets; /* uint32_t: the first grave */
    struct vector graves;  /* struct grave; number 0 is not used */
    uint32_t used;         /* numbers given out so far, including 0 */
    uint32_t free;         /* the first free one */
    uint32_t count;
    unsigned log2_buckets;
    uint64_t multiplier; /* of the hash (hash.h) */
};

void graveyard_deinit(struct graveyard *graveyard);

/* False when memory is short. */
bool graveyard_add(struct graveyard *graveyard, const struct block *block, uint64_t died);

/* The first grave at the address behind `last`; null: there is none. `last` null: the first. */
const struct grave *graveyard_find(const struct graveyard *graveyard, uint64_t address,
                                   const struct grave *last);

/* The block with this number; null when it is not there. */
const struct grave *graveyard_find_block(const struct graveyard *graveyard, uint64_t address,
                                         uint64_t number);

/* Takes the block with this number out, if it is there. */
void graveyard_remove(struct graveyard *graveyard, uint64_t address, uint64_t number);

/* Keeps what is wanted. */
void graveyard_sweep(struct graveyard *graveyard,
                     bool (*wanted)(void *context, const struct grave *grave), void *context);

#endif
