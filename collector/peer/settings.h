/*
 * The environment variables of a process that change how it uses memory.
 *
 * Whatever else stands in an environment is nobody's business, and often a secret: it is read past,
 * and never kept. No state, any thread.
 */
#ifndef HEAPLINE_COLLECTOR_SETTINGS_H
#define HEAPLINE_COLLECTOR_SETTINGS_H

#include <stddef.h>
#include <sys/types.h>

/* What was set when the process of this host began to run its program: strings "NAME=value" of
 * UTF-8, each with its NUL, an empty one at the end. To be freed; NULL when memory is short. */
char *settings_of(pid_t pid);

/* The same of an environment as the kernel gives it. */
char *settings_from(const char *environment, size_t bytes);

#endif
