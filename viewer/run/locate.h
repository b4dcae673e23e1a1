/*
 * Where the other programs of heapline are.
 */
#ifndef HEAPLINE_VIEWER_RUN_LOCATE_H
#define HEAPLINE_VIEWER_RUN_LOCATE_H

#include <limits.h>
#include <stdbool.h>

struct locations {
    char collector[PATH_MAX]; /* heaplined */
    char shim[PATH_MAX];      /* libheapline.so */
};

/* Finds them beside this program (a build folder) or where `meson install` puts them. False, with a
 * message, when they are not there or cannot be preloaded from there. */
bool locations_find(struct locations *locations);

/* The same for a program at `self`, an absolute path. */
bool locate_from(struct locations *locations, const char *self);

#endif
