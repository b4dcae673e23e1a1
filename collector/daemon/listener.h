/*
 * The sockets that the daemon listens on: made from addresses (schema/address.h), or handed over by
 * the service manager (LISTEN_FDS).
 */
#ifndef HEAPLINE_COLLECTOR_LISTENER_H
#define HEAPLINE_COLLECTOR_LISTENER_H

#include <stdbool.h>

#include "address.h"

struct listener {
    int descriptor;
    bool local;     /* only this host can reach it */
    bool owns_path; /* listener_close() removes the socket's file */
    char text[ADDRESS_TEXT_MAX + 1];
};

/* Listens. False: errno says why, 0 when the text is no address. A file that an earlier daemon has
 * left is replaced; sockets are made with mode 0600, or 0666 `for_all`. */
bool listener_open(struct listener *listener, const char *text, bool for_all);

/* Takes over what the service manager has opened; at most `most`. Returns how many. */
unsigned listeners_inherit(struct listener *listeners, unsigned most);

void listener_close(struct listener *listener);

#endif
