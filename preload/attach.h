/*
 * The handshake with the collector (schema/handshake.h).
 */
#ifndef HEAPLINE_PRELOAD_ATTACH_H
#define HEAPLINE_PRELOAD_ATTACH_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* The longest address, as in struct sockaddr_un. */
#define ATTACH_ADDRESS_MAX 107u

/* Connects, says hello and maps the ring that comes back. A forked child names its parent and the
 * token of its mark (fork.h), others 0. False: the process stays untraced; a line
 * on stderr has said why, unless the collector has declined it. Leaves no descriptor open. */
bool attach(const char *address, uint32_t python_version, pid_t parent, uint32_t fork_token);

#endif
