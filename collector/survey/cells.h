/*
 * What of a ground is in memory: stretches of pages, each in one segment, in order of address. One
 * thread.
 */
#ifndef HEAPLINE_COLLECTOR_CELLS_H
#define HEAPLINE_COLLECTOR_CELLS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "collector/survey/ground.h"

struct cell {
    uint64_t start, end;
    uint32_t segment;
    bool is_shared; /* with another process; false too where that was not asked */
};

struct cells {
    struct cell *list;
    uint32_t count, capacity;
    uint32_t latest; /* where something was found last */
};

/* Asks the kernel for the pages of the ground's segments, and notes in those what is there; with
 * `asks_shared` also whom they belong to. cells_deinit() in any case. False: it does not say, or
 * memory is short. */
bool cells_read(struct cells *cells, struct ground *ground, pid_t pid, bool asks_shared);
void cells_deinit(struct cells *cells);

/* A part of a block that is in memory: bytes of it in a cell. */
typedef void cell_part(void *context, const struct cell *cell, uint64_t bytes);

/* Calls back with the parts of [start, end) that are in memory. */
void cells_of(struct cells *cells, uint64_t start, uint64_t end, cell_part *part, void *context);

#endif
