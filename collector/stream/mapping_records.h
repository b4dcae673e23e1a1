/*
 * What a process says of its mappings, and of what large blocks have in memory.
 */
#ifndef HEAPLINE_COLLECTOR_MAPPING_RECORDS_H
#define HEAPLINE_COLLECTOR_MAPPING_RECORDS_H

#include "collector/stream/cursor.h"

struct mapped;

/* The ALLOCATION of a mapping. `slot`: the thread's, on the wire. */
void count_mapping(struct cursor *cursor, struct mapped *mapped, uint64_t slot);

/* These handle a record and return its words. */
unsigned on_unmap(struct cursor *cursor, uint64_t first);
unsigned on_extended(struct cursor *cursor, uint64_t first);

#endif
