/*
 * Marks and other rare records: what happens to a process that is no allocation.
 */
#ifndef HEAPLINE_COLLECTOR_MARKS_H
#define HEAPLINE_COLLECTOR_MARKS_H

#include "collector/stream/cursor.h"

/* These handle a record and return its words. */
unsigned on_mark(struct cursor *cursor, uint64_t first);
unsigned on_extended(struct cursor *cursor, uint64_t first);

#endif
