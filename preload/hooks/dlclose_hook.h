/*
 * The body of the hook of dlclose() (SHIM_HOOK()).
 */
#ifndef HEAPLINE_PRELOAD_DLCLOSE_HOOK_H
#define HEAPLINE_PRELOAD_DLCLOSE_HOOK_H

int dlclose_hook(void *handle);

#endif
