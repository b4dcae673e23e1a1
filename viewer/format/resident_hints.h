/*
 * What can be done about resident memory of a kind.
 */
#ifndef HEAPLINE_VIEWER_FORMAT_RESIDENT_HINTS_H
#define HEAPLINE_VIEWER_FORMAT_RESIDENT_HINTS_H

#include "resident.h"

/* A sentence; NULL: there is none. `name`: the file or heap that the row is of, may be NULL. */
const char *resident_hint(enum resident_kind kind, const char *name);

#endif
