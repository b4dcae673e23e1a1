/*
 * The counted rows of a recording, in one pass.
 */
#ifndef HEAPLINE_VIEWER_COUNTERS_H
#define HEAPLINE_VIEWER_COUNTERS_H

#include <stdbool.h>

#include "chunk.h"
#include "viewer/recording.h"

/* Takes one row of the process with this index. Its node, thread and allocator exist. */
typedef void counters_visitor(void *context, size_t process, const struct counter_row *row);

/* Visits all rows of one process, and then compares their sums with the process's own. False, with
 * a problem in the recording, when anything is wrong: what was visited then means nothing. */
bool counters_visit(struct recording *recording, size_t process, counters_visitor *visitor,
                    void *context);

#endif
