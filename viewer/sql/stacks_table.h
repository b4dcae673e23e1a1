/*
 * The table `stacks`: every stack of a recording as a row.
 *
 *   stack       its number
 *   parent      the stack without its innermost frame, 0: that was the only one
 *   location    location.id of the innermost frame
 *   file, line, function
 *
 * A stack, when given, is found at once.
 */
#ifndef HEAPLINE_VIEWER_SQL_STACKS_TABLE_H
#define HEAPLINE_VIEWER_SQL_STACKS_TABLE_H

#include "viewer/recording/sqlite.h"

/* Makes the table known to a connection whose main database is a recording. Returns SQLite's
 * result. */
int stacks_table_register(sqlite3 *connection);

#endif
