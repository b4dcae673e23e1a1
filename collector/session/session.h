/*
 * A recording session: accepts processes, drains their rings, writes the recording.
 */
#ifndef HEAPLINE_COLLECTOR_SESSION_H
#define HEAPLINE_COLLECTOR_SESSION_H

#include "collector/session/session_options.h"

/* Runs to the end. Returns the exit status. */
int session_run(const struct session_options *options);

#endif
