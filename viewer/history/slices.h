/*
 * What a process held over time where no history was kept: at the ends of slices of time
 * (collector/book/slices.h), and by how much it changed between them.
 *
 * All functions return false, with a problem in the recording, when its slices are damaged.
 */
#ifndef HEAPLINE_VIEWER_HISTORY_SLICES_H
#define HEAPLINE_VIEWER_HISTORY_SLICES_H

#include "chunk.h"
#include "viewer/history/moment.h"
#include "viewer/history/replay.h"
#include "viewer/recording/recording.h"

/* The end of the last slice up to a moment; after no event the start, before any slice. The end of
 * the program and the exit are ends of slices themselves. */
bool slices_position(struct recording *recording, size_t process, const struct moment *moment,
                     struct position *end);

/* The same up to a number of events. */
bool slices_position_after(struct recording *recording, size_t process, uint64_t events,
                           struct position *end);

/* Takes what happened to a counter in a slice that ended at `time`. */
typedef void slices_visitor(void *context, double time, const struct change_row *row);

/* Visits the changes of the slices after event `from` and up to `to`, in their order. */
bool slices_visit(struct recording *recording, size_t process, uint64_t from, uint64_t to,
                  slices_visitor *visitor, void *context);

/* What every counter held at the end of a slice; as history_held_at(). */
bool slices_held_at(struct recording *recording, size_t process, uint64_t event,
                    struct held **held);

/* What happened between two ends of slices. Of what a counter gained, kept, or lost, freed, only
 * the difference is known. As history_between(). */
bool slices_between(struct recording *recording, size_t process, uint64_t from, uint64_t to,
                    struct happened **happened);

#endif
