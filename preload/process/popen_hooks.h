/*
 * popen() and what ends its streams: the command gets the shim's variables. These are the bodies of
 * their hooks (SHIM_HOOK()).
 */
#ifndef HEAPLINE_PRELOAD_POPEN_HOOKS_H
#define HEAPLINE_PRELOAD_POPEN_HOOKS_H

#include <stdio.h>

FILE *popen_hook(const char *command, const char *mode);
int pclose_hook(FILE *file);
int fclose_hook(FILE *file);

#endif
