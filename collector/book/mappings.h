/*
 * The live mappings of one process: ranges of addresses, of which any part may go.
 *
 * A mapping is the block that one call has made. It lives until its last byte has gone; a hole in
 * it makes two ranges of one. The ranges never overlap. They stand in a treap: a tree ordered by
 * address and balanced by a random priority of each range, so that everything costs the logarithm
 * of their number. Mappings and ranges are numbers of slots, 0 is none; used again, the last first.
 * Memory: 32 bytes a mapping and 40 a range. One thread at a time.
 *
 * What is cut out is a list of ranges, linked by `right`. They still belong to their mappings,
 * whose slots they hold, until they are released or put back.
 *
 * A part that was given back and stays mapped is *emptied*: it holds nothing until it is used
 * again. What a range holds is known of the range as a whole; where it is cut each side has its
 * share.
 */
#ifndef HEAPLINE_COLLECTOR_MAPPINGS_H
#define HEAPLINE_COLLECTOR_MAPPINGS_H

#include <stdbool.h>
#include <stdint.h>

#include "collector/base/vector.h"
#include "lifetime.h"

struct mapping {
    uint64_t bytes;  /* that are left of it; kept by those who cut */
    uint64_t number; /* the process's n-th allocation, from 0 */
    uint32_t born;   /* by the history's clock in milliseconds */
    uint32_t counter;
    uint32_t ranges; /* that belong to it, those cut out too; among the free ones: the next */
    /* Of the latest free, which may be taken back. */
    struct lifetime lifetime;
    bool temporary;
};

struct mapping_range {
    uint64_t start, end;
    uint64_t held; /* bytes of it */
    uint32_t mapping;
    uint32_t left, right; /* below it in the treap; `right` also in lists */
    uint32_t priority;
};

struct mappings {
    struct vector all;              /* struct mapping */
    struct vector ranges;           /* struct mapping_range */
    uint32_t all_used, ranges_used; /* numbers given out so far, including 0 */
    uint32_t free_mapping, free_range;
    uint32_t root;
    uint32_t live_ranges; /* in the treap */
    uint64_t random;
    uint64_t pieces_put_back; /* by unmappings that failed; kept by those who put back */
};

void mappings_deinit(struct mappings *mappings);

/* Makes `to`, which is empty, a copy of `from`. False: no memory, it stays empty. */
bool mappings_copy(struct mappings *to, const struct mappings *from);

/* A new mapping without a range (`ranges` of *mapping is not looked at); 0: no memory. It must get
 * one with mappings_add_range(), which also fails for want of memory; then it is gone. The range
 * must be free; of *added start, end, held and mapping are looked at. */
uint32_t mappings_add(struct mappings *mappings, const struct mapping *mapping);
bool mappings_add_range(struct mappings *mappings, const struct mapping_range *added);

/* Takes out what lies in [start, end). *cut is the list, in order of address; 0: nothing. False: no
 * memory, all stays as it was. */
bool mappings_cut(struct mappings *mappings, uint64_t start, uint64_t end, uint32_t *cut);

/* Puts one range of a list back, whose addresses must be free. Returns the next one of the list. */
uint32_t mappings_put_back(struct mappings *mappings, uint32_t range);

/* Gives up a whole list. */
void mappings_release(struct mappings *mappings, uint32_t list);

/* The first range of the treap that starts at `from` or behind; 0: none. */
uint32_t mappings_from(const struct mappings *mappings, uint64_t from);

/* The first one that ends behind `from`: it has that address in it, or lies behind. */
uint32_t mappings_beyond(const struct mappings *mappings, uint64_t from);

static inline struct mapping *mappings_at(const struct mappings *mappings, uint32_t number)
{
    return (struct mapping *)mappings->all.data + number;
}

static inline struct mapping_range *mappings_range(const struct mappings *mappings, uint32_t number)
{
    return (struct mapping_range *)mappings->ranges.data + number;
}

#endif
