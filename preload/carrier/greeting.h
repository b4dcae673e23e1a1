/*
 * The handshake with the collector (schema/handshake.h), with what the environment says: a hello,
 * and the welcome that answers it.
 *
 * There is one hello at a time: before the program has threads, in the child of a fork, or under
 * the stream's lock.
 */
#ifndef HEAPLINE_PRELOAD_GREETING_H
#define HEAPLINE_PRELOAD_GREETING_H

#include <stdint.h>
#include <sys/types.h>

#include "address.h"
#include "handshake.h"
#include "ring.h"

/* How reasons end for which a process is not traced. */
#define GREETING_UNTRACED "; this process runs untraced"

/* What went wrong when the collector wants a stream instead. */
#define GREETING_NO_RING "cannot share memory with the collector" GREETING_UNTRACED

/* Who says hello. */
struct greeting_sender {
    uint32_t python_version;
    /* A forked child names its parent and the token of its mark (fork.h), others 0. */
    pid_t parent;
    uint32_t fork_token;
};

/* A connection to the collector (connection_open()). */
int greeting_connect(const struct address *address, uint64_t patience_ns);

/* Makes the hello that is said next. */
void greeting_compose(const struct greeting_sender *sender, enum hello_carrier carrier);

/* Says hello and waits for the welcome. Null when it accepts; an empty text when it declines, which
 * is to be borne without a word; else what went wrong. The ring's descriptors are the caller's,
 * each -1 without one. */
const char *greeting_exchange(int connection, struct welcome *welcome, int parts[RING_PARTS]);
void greeting_close_parts(const int parts[RING_PARTS]);

/* Says that this process cannot be traced; nobody answers. */
void greeting_send_untraced(const struct greeting_sender *sender, int connection);

/* How patient the collector's writers are, which says how long greetings may take from now on; 0:
 * as long as the first. */
void greeting_limit(uint64_t patience_ns);

/* Connects anew for a stream whose socket the program has closed, and which has sent `position`
 * words. Returns the socket, -1 when that cannot be. */
int greeting_again(uint64_t stream, uint64_t position);

#endif
