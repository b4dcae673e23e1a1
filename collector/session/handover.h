/*
 * What the daemon and its sessions, which are processes of their own, say to each other over a
 * socket pair (SOCK_SEQPACKET).
 *
 *   daemon → session   HANDOVER_ARRIVAL   a process that has said hello, and its connection
 *                      HANDOVER_CONTROL   the connection of `heapline run`
 *                      HANDOVER_REFUSED   one that the daemon has turned away, to be counted
 *                      HANDOVER_GOODBYE   nobody more will come
 *                      HANDOVER_STOP      end now; the text says why
 *   session → daemon   HANDOVER_LEAVE     nobody is here any more; say goodbye
 *
 * And, in a page that they share, how many processes the session has.
 */
#ifndef HEAPLINE_COLLECTOR_HANDOVER_H
#define HEAPLINE_COLLECTOR_HANDOVER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "collector/peer/arrival.h"

enum handover_kind {
    HANDOVER_NOTHING, /* only received: there is nothing now, */
    HANDOVER_END,     /* or the other side is gone */
    HANDOVER_ARRIVAL,
    HANDOVER_CONTROL,
    HANDOVER_REFUSED,
    HANDOVER_GOODBYE,
    HANDOVER_STOP,
    HANDOVER_LEAVE,
};

#define HANDOVER_TEXT_MAX 256u

struct handover {
    uint32_t kind;
    char text[HANDOVER_TEXT_MAX];
    struct arrival arrival; /* its connection is the receiver's */
};

struct handover_counts {
    /* Low half: processes that the session has; high half: arrivals that it has dealt with so far.
     * In one word, for an arrival must not be counted in both or in neither. */
    _Atomic uint64_t both;
};

/* Sends a kind with a text (may be null); or an arrival, whose connection stays the caller's.
 * False when it cannot be sent. */
bool handover_send(int channel, enum handover_kind kind, const char *text);
bool handover_send_arrival(int channel, enum handover_kind kind, const struct arrival *arrival);

/* Receives one, without waiting; returns its kind. */
enum handover_kind handover_receive(int channel, struct handover *handover);

#endif
