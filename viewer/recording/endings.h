/*
 * How each process of a recording ended, as far as the recording says.
 *
 * A process that executed another program has a row for each program; the earlier one's ending is
 * that, and is known by the row that follows, or is told; then it has leaked nothing. Recordings
 * from before there was the table `ending` say nothing of what would stand in it.
 */
#ifndef HEAPLINE_VIEWER_RECORDING_ENDINGS_H
#define HEAPLINE_VIEWER_RECORDING_ENDINGS_H

#include <stdbool.h>

#include "viewer/recording/recording.h"

/* In JSON and CSV. */
extern const char *const ending_names[];

/* Fills in every process's ending. False, with a problem, when they cannot be read. */
bool endings_load(struct recording *recording);

/* Checks, once frames are known, that what endings refer to is among them. False, with a problem,
 * when not. */
bool endings_check(struct recording *recording);

/* Where the largest allocation that failed was asked for; null: not known. */
const struct frame *ending_refused_at(const struct recording *recording,
                                      const struct process *process);

/* Is there something to say about it: not a plain exit, nor one that nothing is known of? */
bool ending_is_remarkable(const struct process *process);

#endif
