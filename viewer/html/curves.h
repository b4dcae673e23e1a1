/*
 * Memory over time, as the page draws it: a curve for each of the processes that held most, and one
 * for the rest of them.
 *
 * Points are the edges of the page's time grid where they are as many as the samples, and then the
 * heap is what was played; else they are even, and it is what was sampled. What the kernel says
 * comes from the samples in either case. One thread.
 */
#ifndef HEAPLINE_VIEWER_HTML_CURVES_H
#define HEAPLINE_VIEWER_HTML_CURVES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "viewer/html/bytes.h"
#include "viewer/html/changes_play.h"
#include "viewer/html/page_rows.h"
#include "viewer/html/time_grid.h"

#define CURVES_MAX 24u

struct curve_point {
    int64_t by_allocator[WIRE_ALLOCATOR_COUNT]; /* live bytes */
    /* Since the point before: live bytes in all, the most; and what the kernel says, the most too.
     * -1: nothing is known. */
    int64_t most, resident, proportional, swapped;
};

struct curve {
    size_t process; /* of the recording; CURVE_REST: of several */
    struct curve_point *points;
};
#define CURVE_REST SIZE_MAX

struct curves {
    struct recording *recording;
    const struct time_grid *grid;
    bool is_played; /* points are the grid's edges */
    uint64_t *times;
    size_t point_count;
    struct curve list[CURVES_MAX + 1];
    size_t count;
    size_t summed;    /* how many processes the rest is */
    size_t *curve_of; /* by process of the recording */
};

/* False, with a problem in the recording, when its samples are damaged. Needs curves_deinit() in
 * either case. Recording and grid must outlive the curves. */
bool curves_init(struct curves *curves, struct recording *recording,
                 const struct page_processes *processes, const struct time_grid *grid);
void curves_deinit(struct curves *curves);

/* Takes what a process held at the grid's edges. */
void curves_take(struct curves *curves, size_t process, const struct played *played);

/* Writes them as schema/page_format.h says. */
void curves_put(const struct curves *curves, struct bytes *bytes);

#endif
