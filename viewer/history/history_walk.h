/*
 * A walk over the history of a process (schema/history.h): chunk by chunk, or event by event.
 */
#ifndef HEAPLINE_VIEWER_HISTORY_HISTORY_WALK_H
#define HEAPLINE_VIEWER_HISTORY_HISTORY_WALK_H

#include <stdbool.h>
#include <stdint.h>

#include "history.h"
#include "viewer/recording/database.h"

/* A walk over a process's events. */
struct history_walk {
    struct rows rows;
    struct history_reader reader;
    uint32_t process, counters; /* of the process: its id, how many counters it has */
    uint64_t first;             /* number of the event that is wanted first */
    uint64_t next;              /* number of the event to come */
    uint64_t next_block;        /* number of the block that the chunk to come begins with */
    uint64_t end;               /* number of the event to stop before */
    bool open;                  /* the reader has a chunk */
    const bool *wanted;         /* by counter, from 0; null: all. Others are passed over */
    bool counts;                /* events that are passed are steps of the database's progress */
    bool is_part;               /* ... of a part of their own */
};

/* Begins before event `first`, or before the chunk that it is in, and ends before event `end`.
 * False, with a problem in the database, when that cannot be. Needs history_walk_deinit() in either
 * case. */
bool history_walk_init(struct history_walk *walk, struct database *database, uint32_t process,
                       uint32_t counters, uint64_t first, uint64_t end);
void history_walk_deinit(struct history_walk *walk);

/* What is walked is a part of the database's progress, from now on to history_walk_deinit(). For
 * walks through all events of a long run. */
void history_walk_tell(struct history_walk *walk);

/* Reads the next chunk's summary into walk->reader. */
enum rows_step history_walk_chunk(struct history_walk *walk);

/* With the chunk's events to come: what is read now are walk->reader's own. */
bool history_walk_open(struct history_walk *walk);

/* As history_walk_chunk(), and adds how long the blocks lived that the chunk frees, by counter. */
enum rows_step history_walk_lifetimes(struct history_walk *walk, struct lifetimes *by_counter);

/* Instead of chunks: the next event that is wanted; its number is walk->next - 1. */
enum rows_step history_walk_next(struct history_walk *walk, struct history_event *event);

/* A problem for the database: the chunk at hand cannot be. */
bool history_walk_damaged(struct history_walk *walk);

#endif
