/*
 * system(): its command gets the shim's variables.
 */
#ifndef HEAPLINE_PRELOAD_SYSTEM_HOOK_H
#define HEAPLINE_PRELOAD_SYSTEM_HOOK_H

/* Looks up the real function. Once, at start. */
void system_hook_resolve(void);

#endif
