/*
 * What this build is.
 */
#ifndef HEAPLINE_VIEWER_BASE_VERSION_H
#define HEAPLINE_VIEWER_BASE_VERSION_H

#include <stdbool.h>
#include <stdio.h>

/* The file name of the libunwind that `heapline run --native` asks. */
#define VERSION_LIBUNWIND "libunwind-x86_64.so.8"

/* Prints "heapline VERSION" and then, a line each, from what and how it was built. */
void version_print(FILE *stream);

/* Can the library be loaded here? */
bool version_has_library(const char *name);

#endif
