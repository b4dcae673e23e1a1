/*
 * The kernel is asked for a stretch of segments at once, for STRETCH_BYTES at most: while it
 * answers the process can neither map nor unmap.
 *
 * Blocks are looked up in the order in which they were made, so most lie where the one before did.
 */
#include "collector/survey/cells.h"

#include <stdlib.h>

#include "collector/base/array.h"
#include "collector/system/pages.h"

#define STRETCH_BYTES (UINT64_C(64) << 20)

/* Pages as they come, in order, and the segment that they have come to. */
struct filling {
    struct cells *cells;
    struct ground *ground;
    uint32_t segment;
    bool is_short; /* of memory */
};

static void add_cell(struct filling *filling, uint64_t start, uint64_t end, bool is_shared)
{
    struct cells *cells = filling->cells;
    struct cell *last = cells->count ? &cells->list[cells->count - 1] : NULL;
    if (last && last->end == start && last->segment == filling->segment &&
        last->is_shared == is_shared) {
        last->end = end;
        return;
    }
    struct cell *list = array_grow(cells->list, &cells->capacity, cells->count + 1, sizeof *list);
    if (!list) {
        filling->is_short = true;
        return;
    }
    cells->list = list;
    list[cells->count++] = (struct cell){start, end, filling->segment, is_shared};
}

static void note_part(struct filling *filling, uint64_t start, uint64_t end, unsigned bits)
{
    struct segment *segment = &filling->ground->segments[filling->segment];
    if (bits & PAGES_SWAPPED) {
        segment->swapped += end - start;
        return;
    }
    segment->resident += end - start;
    segment->huge += bits & PAGES_HUGE ? end - start : 0;
    add_cell(filling, start, end, false);
}

static void note_pages(void *context, uint64_t start, uint64_t end, unsigned bits)
{
    struct filling *filling = context;
    const struct ground *ground = filling->ground;
    while (start < end) {
        while (filling->segment < ground->count && ground->segments[filling->segment].end <= start)
            filling->segment++;
        if (filling->segment == ground->count)
            return;
        const struct segment *segment = &ground->segments[filling->segment];
        uint64_t from = start > segment->start ? start : segment->start;
        uint64_t to = end < segment->end ? end : segment->end;
        if (from < to)
            note_part(filling, from, to, bits);
        start = to > start ? to : end;
    }
}

/* Where a stretch ends that begins at an address of that segment; *next: the segment there. */
static uint64_t end_of_stretch(const struct ground *ground, uint64_t start, uint32_t *next)
{
    uint32_t number = *next;
    uint64_t most = start + STRETCH_BYTES, end = ground->segments[number].end;
    while (end < most && number + 1 < ground->count && ground->segments[number + 1].start == end)
        end = ground->segments[++number].end;
    *next = end <= most ? number + 1 : number;
    return end <= most ? end : most;
}

static bool read_pages(struct pages *pages, struct filling *filling)
{
    const struct ground *ground = filling->ground;
    uint64_t at = 0;
    for (uint32_t next = 0; next < ground->count && !filling->is_short;) {
        uint64_t start = at > ground->segments[next].start ? at : ground->segments[next].start;
        at = end_of_stretch(ground, start, &next);
        if (!pages_each(pages, start, at, note_pages, filling))
            return false;
    }
    return !filling->is_short;
}

static void note_shared(void *context, uint64_t start, uint64_t end, unsigned bits)
{
    struct filling *filling = context;
    bool is_shared = bits & PAGES_SHARED;
    add_cell(filling, start, end, is_shared);
    if (is_shared)
        filling->ground->segments[filling->segment].shared += end - start;
}

/* Cuts the cells up by whether they are shared. */
static bool read_shared(struct pages *pages, struct cells *cells, struct ground *ground)
{
    struct cells whole = *cells;
    struct filling filling = {.cells = cells, .ground = ground};
    bool good = true;
    *cells = (struct cells){0};
    for (uint32_t i = 0; good && i < whole.count; i++) {
        const struct cell *cell = &whole.list[i];
        filling.segment = cell->segment;
        good = pages_each_shared(pages, cell->start, cell->end, note_shared, &filling) &&
               !filling.is_short;
    }
    cells_deinit(&whole);
    return good;
}

bool cells_read(struct cells *cells, struct ground *ground, pid_t pid, bool asks_shared)
{
    struct filling filling = {.cells = cells, .ground = ground};
    struct pages pages;
    *cells = (struct cells){0};
    if (!pages_open(&pages, pid))
        return false;
    bool good =
        read_pages(&pages, &filling) && (!asks_shared || read_shared(&pages, cells, ground));
    pages_close(&pages);
    return good;
}

void cells_deinit(struct cells *cells)
{
    free(cells->list);
    *cells = (struct cells){0};
}

/* The first cell that ends behind an address. */
static uint32_t cell_beyond(const struct cells *cells, uint64_t address)
{
    uint32_t low = 0, high = cells->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (cells->list[middle].end <= address)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

void cells_of(struct cells *cells, uint64_t start, uint64_t end, cell_part *part, void *context)
{
    const struct cell *list = cells->list;
    uint32_t at = cells->latest;
    if (at >= cells->count || list[at].start > start || list[at].end <= start)
        at = cell_beyond(cells, start);
    cells->latest = at;
    for (; at < cells->count && list[at].start < end; at++) {
        uint64_t from = start > list[at].start ? start : list[at].start;
        uint64_t to = end < list[at].end ? end : list[at].end;
        part(context, &list[at], to - from);
    }
}
