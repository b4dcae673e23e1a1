/*
 * A run that a daemon records: the connection that takes the place of the private collector's
 * control socket.
 */
#ifndef HEAPLINE_VIEWER_RUN_DAEMON_H
#define HEAPLINE_VIEWER_RUN_DAEMON_H

#include <stdbool.h>

#include "address.h"
#include "viewer/run/plan.h"

/* Writes `address` with the host's name looked up, as the shim wants it. False, with a message,
 * when it is no address or there is no such host. */
bool daemon_resolve(const char *address, char numeric[ADDRESS_TEXT_MAX + 1]);

/* Connects, says hello and asks for a run. Returns the connection, on which control messages go
 * (control.h); -1, with a message, when the daemon is not to be had. */
int daemon_connect(const struct collector_plan *plan);

#endif
