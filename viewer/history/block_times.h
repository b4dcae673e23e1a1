/*
 * When each block of a process was allocated, from the time marks of its history.
 */
#ifndef HEAPLINE_VIEWER_HISTORY_BLOCK_TIMES_H
#define HEAPLINE_VIEWER_HISTORY_BLOCK_TIMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "viewer/recording/database.h"

/* From this block on the clock showed this time. */
struct block_time {
    uint64_t block, time_us;
};

struct block_times {
    struct block_time *list;
    size_t count, capacity;
};

/* Reads the summaries of all chunks up to event `end` of the process with this id. False, with a
 * problem in the database, when one is damaged. Needs block_times_deinit() in either case. */
bool block_times_init(struct block_times *times, struct database *database, uint32_t process,
                      uint32_t counters, uint64_t end);
void block_times_deinit(struct block_times *times);

/* Microseconds from the run's start; UINT64_MAX when there is no mark at all. */
uint64_t block_times_find(const struct block_times *times, uint64_t block);

#endif
