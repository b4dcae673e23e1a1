/*
 * What happened to the page's rows over time, in at most so much memory, whatever the run was.
 *
 *   changes   by (row, bucket of time): allocations, bytes allocated, and by how much what the row
 *             holds has changed
 *   deaths    by (row, bucket, earlier bucket): blocks and bytes freed in the one that had been
 *             allocated in the other
 *
 * What a row holds at an edge is the sum of its changes before. Of a span, what was there at its
 * start and freed in it is the sum of the deaths in it of what was allocated before; and what was
 * allocated in it and kept follows from both. All that is exact, at the edges.
 *
 * When there are too many, buckets become longer (time_grid.h), those of deaths first, and then
 * rows are folded into others, for these purposes alone. One thread.
 */
#ifndef HEAPLINE_VIEWER_HTML_CHANGES_H
#define HEAPLINE_VIEWER_HTML_CHANGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "viewer/html/index.h"
#include "viewer/html/page_rows.h"
#include "viewer/html/time_grid.h"

struct change {
    uint32_t row, bucket; /* the bucket is one of `level`, from 0 */
    uint64_t allocations, allocated_bytes;
    int64_t blocks, bytes;
};

struct death {
    uint32_t row, born, died; /* buckets of `death_level` */
    int64_t blocks, bytes;    /* less those that were restored */
};

struct changes {
    struct page_rows *rows;
    const struct time_grid *grid;
    size_t changes_max, deaths_max;
    unsigned level, death_level; /* of the grid; death_level is not the lower one */
    uint32_t *map, *death_map;   /* by bucket of level 0 */
    struct change *list;         /* by process, bucket and row */
    size_t count;
    struct death *deaths;
    size_t death_count;
    struct index death_index;
    uint32_t *row_now; /* by row: what it has been folded into, or itself */
    uint32_t row_capacity;
    uint32_t nodes_kept;  /* by the folding of rows; 0: none was folded */
    uint32_t bucket;      /* at hand, of level 0 */
    struct change *sums;  /* of the bucket at hand, by row */
    uint64_t *is_touched; /* a bit for each row */
};

/* Needs changes_deinit(). The rows and the grid must outlive the changes; folding adds rows. */
void changes_init(struct changes *changes, struct page_rows *rows, const struct time_grid *grid,
                  size_t changes_max, size_t deaths_max);
void changes_deinit(struct changes *changes);

/* From now on things happen in this bucket of level 0. A process's buckets come in order. */
void changes_enter(struct changes *changes, uint32_t bucket);

/* To the row, in the bucket at hand. */
struct change *changes_at(struct changes *changes, uint32_t row);

/* Blocks of the row that were allocated in the bucket `born` (of level 0) are freed in the one at
 * hand; negative numbers take that back. */
void changes_die(struct changes *changes, uint32_t row, uint32_t born, int64_t blocks,
                 int64_t bytes);

/* After the last: sums up what is left to be. */
void changes_finish(struct changes *changes);

/* Makes do with less; false when there is nothing left to give up. After changes_finish(). */
bool changes_coarsen(struct changes *changes);
bool changes_coarsen_deaths(struct changes *changes);

#endif
