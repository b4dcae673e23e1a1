/*
 * What a process held at any moment, from its history (schema/history.h).
 *
 * Positions in a process's history are numbers of events: "after the first n". A position is exact;
 * a time is as exact as the clock of the recording, which moves every millisecond. All functions
 * return false, with a problem in the recording, when it has no history, or a damaged one.
 */
#ifndef HEAPLINE_VIEWER_HISTORY_REPLAY_H
#define HEAPLINE_VIEWER_HISTORY_REPLAY_H

#include <stdbool.h>
#include <stdint.h>

#include "history.h"
#include "viewer/history/moment.h"
#include "viewer/recording/recording.h"

/* Does the recording have a history at all? */
bool history_is_kept(struct recording *recording);

/* How many events a process had had at a moment; the peak is its own. */
bool history_position(struct recording *recording, size_t process, const struct moment *moment,
                      struct position *position);

/* What an event changes of its counter. */
static inline void held_change(struct held *held, const struct history_event *event)
{
    held_add_blocks(held, event->kind == HISTORY_FREE ? -1 : 1, event->pair->size);
}

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

#endif
