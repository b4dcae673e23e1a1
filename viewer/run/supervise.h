/*
 * Standing between the world and the command while it runs.
 */
#ifndef HEAPLINE_VIEWER_RUN_SUPERVISE_H
#define HEAPLINE_VIEWER_RUN_SUPERVISE_H

#include <sys/types.h>

#include "viewer/run/signals.h"
#include "viewer/run/witness.h"

/* Passes signals on to the command until it has ended; returns its wait status. */
int command_supervise(pid_t command, const struct signals *signals,
                      struct witness witnesses[WITNESS_POSTS]);

#endif
