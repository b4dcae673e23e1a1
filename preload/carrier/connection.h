/*
 * Connecting to the collector. All waits are bounded. Keeps nothing.
 */
#ifndef HEAPLINE_PRELOAD_CONNECTION_H
#define HEAPLINE_PRELOAD_CONNECTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "address.h"

/* A connected socket, closed on exec, whose calls wait no longer than `limit_ns`; -1 when there is
 * nobody, with errno EPERM when it is somebody not to be trusted (address.h). Tries again for
 * `patience_ns` when there is nobody yet. */
int connection_open(const struct address *address, uint64_t limit_ns, uint64_t patience_ns);

/* Whole calls, whatever signals come. Sends all; false: it cannot. */
bool connection_send(int connection, const void *bytes, size_t size, uint64_t limit_ns);
/* Receives what there is, with the descriptors beside it (-1: none); 0 or less when there is
 * nothing. */
#define CONNECTION_DESCRIPTORS 2
ssize_t connection_receive(int connection, void *bytes, size_t size,
                           int descriptors[CONNECTION_DESCRIPTORS], uint64_t limit_ns);

/* How long the calls of a connected socket wait from now on. */
void connection_limit(int connection, uint64_t limit_ns);

#endif
