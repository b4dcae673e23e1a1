/*
 * A row of an answer: what was counted for one key of its grouping.
 */
#ifndef HEAPLINE_VIEWER_QUESTION_ROW_H
#define HEAPLINE_VIEWER_QUESTION_ROW_H

#include <stdint.h>

struct row {
    uint32_t key;                          /* see grouping.h */
    uint64_t bytes, blocks;                /* at the moment; of a span: allocated and kept; or the
                                            * temporary ones */
    uint64_t allocated_bytes, allocations; /* of the whole run, or of the span */
    uint64_t freed_bytes, freed_blocks;    /* of a span: from before it */
};

/* Adds one row's counts to another's. */
static inline void row_add(struct row *sum, const struct row *row)
{
    sum->bytes += row->bytes;
    sum->blocks += row->blocks;
    sum->allocated_bytes += row->allocated_bytes;
    sum->allocations += row->allocations;
    sum->freed_bytes += row->freed_bytes;
    sum->freed_blocks += row->freed_blocks;
}

#endif
