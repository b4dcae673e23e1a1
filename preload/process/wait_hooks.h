/*
 * The functions that wait for children: the collector is told how a child has ended.
 */
#ifndef HEAPLINE_PRELOAD_WAIT_HOOKS_H
#define HEAPLINE_PRELOAD_WAIT_HOOKS_H

/* Looks up the real functions. Once, at start. */
void wait_hooks_resolve(void);

#endif
