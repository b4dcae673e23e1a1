/*
 * heapline_events.so, an extension for whoever opens recordings with SQLite: adds the tables
 * `events` and `stacks` to the connection that loads it.
 *
 * It runs in somebody else's process and uses that process's SQLite only, by the table of functions
 * that it is given.
 */
#include <sqlite3ext.h>
SQLITE_EXTENSION_INIT1

#include "viewer/sql/events_table.h"
#include "viewer/sql/stacks_table.h"

/* The name that SQLite looks for, whatever the file is called. */
__attribute__((visibility("default"))) int
sqlite3_extension_init(sqlite3 *connection, char **problem, const sqlite3_api_routines *routines);

int sqlite3_extension_init(sqlite3 *connection, char **problem,
                           const sqlite3_api_routines *routines)
{
    (void)problem;
    SQLITE_EXTENSION_INIT2(routines);
    int status = events_table_register(connection, NULL);
    return status == SQLITE_OK ? stacks_table_register(connection) : status;
}
