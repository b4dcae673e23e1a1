/*
 * What is known of a process's counters by going through its whole history (schema/history.h). All
 * functions return false, with a problem in the recording, when it has no history, or a damaged
 * one.
 */
#ifndef HEAPLINE_VIEWER_HISTORY_PLAY_H
#define HEAPLINE_VIEWER_HISTORY_PLAY_H

#include <stdbool.h>
#include <stdint.h>

#include "lifetime.h"
#include "viewer/history/replay.h"
#include "viewer/recording/recording.h"

/* How long the blocks of each counter lived that were freed at all; by counter, as above. From what
 * each chunk says of it. */
bool history_lifetimes(struct recording *recording, size_t process, struct lifetimes **lifetimes);

/* The same, by playing each event. */
bool history_play_lifetimes(struct recording *recording, size_t process,
                            struct lifetimes **lifetimes);

/* What every counter holds after so many events, by playing each one. */
bool history_play(struct recording *recording, size_t process, uint64_t events, struct held **held);

/* The allocations that were freed before the n-th next one of the same thread (n at least 1): bytes
 * and blocks by counter. Plays every event. */
bool history_temporary(struct recording *recording, size_t process, uint32_t n,
                       struct held **temporary);

#endif
