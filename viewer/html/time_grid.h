/*
 * The moments between which the page tells what happened: edges, between which are buckets.
 *
 * Bucket n has what happened after edge n up to edge n + 1 and with it; the first one also what
 * happened at its own edge. Every second edge may be left out, and again: an edge has a level, the
 * last one at which it is still there. Some edges never go, because they have a name or were asked
 * for. Edges of a level are among those of the level before. One thread.
 */
#ifndef HEAPLINE_VIEWER_HTML_TIME_GRID_H
#define HEAPLINE_VIEWER_HTML_TIME_GRID_H

#include <stddef.h>
#include <stdint.h>

#define TIME_GRID_BUCKETS_MAX 1000u
#define TIME_GRID_LEVELS      16u

struct time_grid {
    uint64_t *edges; /* microseconds from the run's start, rising */
    uint8_t *levels;
    size_t count; /* of the edges, at least 2 */
};

/* So many even buckets of a run of that length, and edges at the `pinned` moments. Needs
 * time_grid_deinit(). */
void time_grid_init(struct time_grid *grid, uint64_t length_us, size_t buckets,
                    const uint64_t *pinned, size_t pinned_count);
void time_grid_deinit(struct time_grid *grid);

/* How many buckets there are at a level. */
size_t time_grid_buckets(const struct time_grid *grid, unsigned level);

/* By bucket of level 0: which one of the level it is part of. The caller frees the array. */
uint32_t *time_grid_map(const struct time_grid *grid, unsigned level);

#endif
