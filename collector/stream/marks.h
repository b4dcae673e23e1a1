/*
 * Marks: what happens to a process that is no allocation.
 */
#ifndef HEAPLINE_COLLECTOR_MARKS_H
#define HEAPLINE_COLLECTOR_MARKS_H

#include "collector/stream/cursor.h"

/* Handles a record and returns its words. */
unsigned on_mark(struct cursor *cursor, uint64_t first);

#endif
