/*
 * The functions that execute programs: what is executed gets the shim's variables (environment.h).
 */
#ifndef HEAPLINE_PRELOAD_EXEC_HOOKS_H
#define HEAPLINE_PRELOAD_EXEC_HOOKS_H

/* Looks up the real functions. Once, at start: dlsym is not to be called in a vfork child. */
void exec_hooks_resolve(void);

#endif
