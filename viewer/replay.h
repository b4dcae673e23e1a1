/*
 * What a process held at any moment, from its history (schema/history.h).
 *
 * Positions in a process's history are numbers of events: "after the first n". A position is exact;
 * a time is as exact as the clock of the recording, which moves every millisecond. All functions
 * return false, with a problem in the recording, when it has no history, or a damaged one.
 */
#ifndef HEAPLINE_VIEWER_REPLAY_H
#define HEAPLINE_VIEWER_REPLAY_H

#include <stdbool.h>
#include <stdint.h>

#include "history.h"
#include "viewer/database.h"
#include "viewer/moment.h"
#include "viewer/recording.h"

/* How many events a process had had at a moment. */
bool history_position(struct recording *recording, size_t process, const struct moment *moment,
                      uint64_t *position);

/* What a counter held. */
struct held {
    uint64_t bytes, blocks;
};

/* By counter, process->counter_count of them; the caller frees the array. */
bool history_held_at(struct recording *recording, size_t process, uint64_t position,
                     struct held **held);

/* What happened to a counter between two positions. */
struct happened {
    uint64_t allocations, allocated_bytes;
    struct held kept;  /* allocated in the span and still there at its end */
    struct held freed; /* there at its start and freed in it */
};

/* By counter, as above. `from` must not be after `to`. */
bool history_between(struct recording *recording, size_t process, uint64_t from, uint64_t to,
                     struct happened **happened);

/* What every counter holds after the last event, by playing each one. */
bool history_play(struct recording *recording, size_t process, struct held **held);

/* The allocations that were freed before the n-th next one of the same thread (n at least 1): bytes
 * and blocks by counter. Plays every event. */
bool history_temporary(struct recording *recording, size_t process, uint32_t n,
                       struct held **temporary);

/* --- event by event --- */

/* A walk over a process's events. */
struct history_walk {
    struct rows rows;
    struct history_reader reader;
    uint32_t process, counters; /* of the process: its id, how many counters it has */
    uint64_t first;             /* number of the event that is wanted first */
    uint64_t next;              /* number of the event to come */
    uint64_t end;               /* number of the event to stop before */
    bool open;                  /* the reader has a chunk */
    const bool *wanted;         /* by counter, from 0; null: all. Others are passed over */
};

/* Begins before event `first`, or before the chunk that it is in, and ends before event `end`.
 * False, with a problem in the database, when that cannot be. Needs history_walk_deinit() in either
 * case. */
bool history_walk_init(struct history_walk *walk, struct database *database, uint32_t process,
                       uint32_t counters, uint64_t first, uint64_t end);
void history_walk_deinit(struct history_walk *walk);

/* Instead of events: reads the next chunk's summary into walk->reader. */
enum rows_step history_walk_chunk(struct history_walk *walk);

/* The next event that is wanted; its number is walk->next - 1. */
enum rows_step history_walk_next(struct history_walk *walk, struct history_event *event);

#endif
