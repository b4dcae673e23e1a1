/*
 * The handshake with the collector (schema/handshake.h), with what the environment says.
 *
 * One thread at a time: before the program has threads, in the child of a fork, or under the
 * stream's lock.
 */
#ifndef HEAPLINE_PRELOAD_ATTACH_H
#define HEAPLINE_PRELOAD_ATTACH_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct attach_request {
    uint32_t python_version;
    /* A forked child names its parent and the token of its mark (fork.h), others 0. */
    pid_t parent;
    uint32_t fork_token;
};

/* Connects, says hello and sets up the carrier that the collector offers. False: the process stays
 * untraced; a line on stderr has said why, unless the collector has declined it. With a ring no
 * descriptor stays open. */
bool attach(const struct attach_request *request);

/* Connects anew for a stream whose socket the program has closed, and which has sent `position`
 * words. Returns the socket, -1 when that cannot be. */
int attach_again(uint64_t stream, uint64_t position);

#endif
