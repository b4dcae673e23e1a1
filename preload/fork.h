/*
 * Forked children. The child of a traced process begins untraced (the gate's page is wiped, shim.h)
 * and attaches anew, as a process of its own with a ring of its own.
 *
 * So that the collector knows what the child inherits, the parent sends a mark just before it
 * forks, and the child names that mark in its hello. The shim's locks are held over the fork: the
 * child finds its tables whole. Only fork() runs this; the child of a plain clone() or _Fork() goes
 * on untraced.
 */
#ifndef HEAPLINE_PRELOAD_FORK_H
#define HEAPLINE_PRELOAD_FORK_H

#include <stdbool.h>

/* Registers what is to run around fork(). Once, before the gate opens. False: no memory. */
bool fork_init(void);

#endif
