/*
 * popen() and what ends its streams: the command gets the shim's variables.
 */
#ifndef HEAPLINE_PRELOAD_POPEN_HOOKS_H
#define HEAPLINE_PRELOAD_POPEN_HOOKS_H

/* Looks up the real functions. Once, at start. */
void popen_hooks_resolve(void);

#endif
