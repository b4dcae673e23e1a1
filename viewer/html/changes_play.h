/*
 * Fills in what happened over time (changes.h), from the history or from slices.
 *
 * Of the history, chunks that lie in one bucket are taken as a whole; those in which an edge lies
 * are played, event by event. So the number of edges bounds the time that it takes, and
 * changes_buckets() says how many there may be.
 */
#ifndef HEAPLINE_VIEWER_HTML_CHANGES_PLAY_H
#define HEAPLINE_VIEWER_HTML_CHANGES_PLAY_H

#include "viewer/html/changes.h"
#include "wire.h"

/* What a process held at the edges of the grid, and whether all of its history is there. */
struct played {
    int64_t (*held)[WIRE_ALLOCATOR_COUNT]; /* by edge; owned */
    bool is_whole;
};

/* How many even buckets a run may have so that not too many events must be played. False, with a
 * problem in the recording, when it is damaged. */
bool changes_buckets(struct recording *recording, const struct page_processes *processes,
                     size_t *buckets);

/* Plays a process. False, with a problem in the recording, when it is damaged. `played` needs
 * played_deinit() in either case. */
bool changes_play(struct changes *changes, size_t process, struct played *played);
void played_deinit(struct played *played);

#endif
