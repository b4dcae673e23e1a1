/*
 * Forked children. The child of a traced process begins untraced (the gate's page is wiped, shim.h)
 * and attaches anew, as a process of its own with a ring of its own.
 *
 * So that the collector knows what the child inherits, the parent sends a mark just before it
 * forks, and the child names that mark in its hello. The shim's locks are held over the fork: the
 * child finds its tables whole. Signals are blocked from before the first lock until the last one
 * is free, on both sides, so that no handler can fork in between, nor meet a child's half-made
 * state.
 *
 * A fork in a handler that has interrupted the shim's own work leaves that work to be gone on with
 * in the child: it gets a private page for every page of the ring, and the child goes on untraced.
 * So does the child of _Fork(), which is interposed for that. In the child of a plain clone()
 * nothing of ours runs (ring_writer.h).
 */
#ifndef HEAPLINE_PRELOAD_FORK_H
#define HEAPLINE_PRELOAD_FORK_H

#include <stdbool.h>
#include <sys/types.h>

/* Registers what is to run around fork(). Once, before the gate opens. False: no memory. */
bool fork_init(void);

/* The bodies of the hooks (SHIM_HOOK()). */
pid_t fork_hook(void);
pid_t _Fork_hook(void);

#endif
