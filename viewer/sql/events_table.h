/*
 * The table `events`: every event of a recording as a row, for plain SQL.
 *
 *   sequence    number of the event in its process, from 0
 *   time        seconds from the run's start
 *   process     process.id
 *   thread      thread.id: who allocated the block
 *   kind        'allocation', 'free', 'restore' (a realloc that had freed it has failed)
 *   block       number of the block: the process's n-th allocation, from 0
 *   size, allocator
 *   stack       number of the stack that allocated it (stacks_table.h), 0: none
 *   lifetime    of a free: seconds since the allocation
 *
 * Bounds on sequence and time, and a process or stack that is given, are used to read less.
 */
#ifndef HEAPLINE_VIEWER_SQL_EVENTS_TABLE_H
#define HEAPLINE_VIEWER_SQL_EVENTS_TABLE_H

#include "viewer/base/progress.h"
#include "viewer/recording/sqlite.h"

/* Makes the table known to a connection whose main database is a recording. How far a scan is, is
 * told to `progress`, unless that is NULL; it must outlive the connection. Returns SQLite's result.
 */
int events_table_register(sqlite3 *connection, struct progress *progress);

#endif
