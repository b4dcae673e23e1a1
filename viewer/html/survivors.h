/*
 * What of a process's memory is still there, by row and by the bucket of time in which it was
 * allocated, while the process is played: what goes with it when it ends. Takes as much as there
 * is, and no more than twice that. One thread.
 */
#ifndef HEAPLINE_VIEWER_HTML_SURVIVORS_H
#define HEAPLINE_VIEWER_HTML_SURVIVORS_H

#include <stddef.h>
#include <stdint.h>

#include "viewer/html/index.h"

struct survivor {
    uint32_t row, born;
    int64_t blocks, bytes;
};

/* Zeroed memory is none. */
struct survivors {
    struct index index;
    struct survivor *list;
    size_t count, capacity;
};

void survivors_deinit(struct survivors *survivors);
void survivors_add(struct survivors *survivors, uint32_t row, uint32_t born, int64_t blocks,
                   int64_t bytes);

#endif
