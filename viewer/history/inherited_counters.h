/*
 * The counters of what a forked process was forked with (inheritance.h), as its parent had them at
 * the fork.
 */
#ifndef HEAPLINE_VIEWER_HISTORY_INHERITED_COUNTERS_H
#define HEAPLINE_VIEWER_HISTORY_INHERITED_COUNTERS_H

#include <stdbool.h>

#include "viewer/recording/recording.h"

/* Makes known what the process with this index was forked with, until inheritance_forget(). False,
 * with a problem in the recording, when that cannot be read. */
bool inheritance_know(struct recording *recording, size_t process);

#endif
