/*
 * Opens the SQLite file of a recording, and closes it.
 */
#ifndef HEAPLINE_VIEWER_RECORDING_DATABASE_FILE_H
#define HEAPLINE_VIEWER_RECORDING_DATABASE_FILE_H

#include <stdbool.h>

#include "viewer/recording/database.h"

/* Opens the file and begins a read transaction: whoever still writes to it changes nothing any
 * more for us. False, with a problem, when it is no recording of a format that is known here. Needs
 * database_deinit() in either case; path and progress must outlive it. */
bool database_init(struct database *database, const char *path, struct progress *progress);
void database_deinit(struct database *database);

#endif
