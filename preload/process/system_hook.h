/*
 * system(): its command gets the shim's variables. This is the body of its hook (SHIM_HOOK()).
 */
#ifndef HEAPLINE_PRELOAD_SYSTEM_HOOK_H
#define HEAPLINE_PRELOAD_SYSTEM_HOOK_H

int system_hook(const char *command);

#endif
