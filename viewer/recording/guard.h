/*
 * What may be asked of a recording's connection: reading, and nothing else.
 */
#ifndef HEAPLINE_VIEWER_RECORDING_GUARD_H
#define HEAPLINE_VIEWER_RECORDING_GUARD_H

#include "viewer/recording/database.h"

/* From now on every statement that the database's connection is given is looked at while it is
 * prepared, whoever wrote it: a command, the user of `heapline sql`, or the recording itself by a
 * view. What does more than read is refused, and that becomes the database's problem, with its
 * name. The database must stay where it is. */
void guard_set(struct database *database);

/* The recording's views may be read, which is of use to `heapline sql` alone. */
void guard_allow_views(struct database *database);

/* The last look at a statement that has been prepared: false, with a problem, when it would write,
 * which SQLite asks us about too late or not at all for some. */
bool guard_passes(struct database *database, sqlite3_stmt *statement);

#endif
