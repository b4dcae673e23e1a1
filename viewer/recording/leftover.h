/*
 * What a collector has left beside a recording: a WAL, whose pages belong into the file, and the
 * shared memory that SQLite needs to read it.
 *
 * Paths are as the user gave them. Any thread.
 */
#ifndef HEAPLINE_VIEWER_RECORDING_LEFTOVER_H
#define HEAPLINE_VIEWER_RECORDING_LEFTOVER_H

#include <stdbool.h>

/* Is there a WAL with something in it? */
bool leftover_is_there(const char *path);

/* Makes one file of the recording, where nobody writes or reads it now and it and all beside it is
 * the user's own; else does nothing. */
void leftover_fold(const char *path);

/* A copy of the file and its WAL. */
struct leftover_copy {
    char *folder; /* null: there is none */
    char *path;
};

/* False: errno says why. Needs leftover_remove_copy() in either case, once the copy is open. */
bool leftover_make_copy(struct leftover_copy *copy, const char *path);
void leftover_remove_copy(struct leftover_copy *copy);

#endif
