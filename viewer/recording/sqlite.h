/*
 * SQLite, as a program calls it, or through the table of functions that it hands to an extension:
 * what is compiled into both is compiled twice.
 */
#ifndef HEAPLINE_VIEWER_RECORDING_SQLITE_H
#define HEAPLINE_VIEWER_RECORDING_SQLITE_H

#ifdef HEAPLINE_EXTENSION
#include <sqlite3ext.h>
SQLITE_EXTENSION_INIT3
#else
#include <sqlite3.h>
#endif

#endif
