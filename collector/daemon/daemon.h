/*
 * The daemon: takes any number of programs in, each run in a session of its own (session.h), which
 * is a process of its own with a recording of its own.
 */
#ifndef HEAPLINE_COLLECTOR_DAEMON_H
#define HEAPLINE_COLLECTOR_DAEMON_H

#include "collector/daemon/daemon_options.h"

/* Runs until SIGTERM or SIGINT. Returns the exit status. */
int daemon_run(const struct daemon_options *options);

#endif
