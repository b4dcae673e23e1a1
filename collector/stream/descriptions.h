/*
 * What a process says of what its stacks are made of: codes and their texts, modules, code that it
 * has made itself, and the names of its threads.
 */
#ifndef HEAPLINE_COLLECTOR_DESCRIPTIONS_H
#define HEAPLINE_COLLECTOR_DESCRIPTIONS_H

#include "collector/stream/cursor.h"

/* These handle a record and return its words; those of a MARK are given its value. */
unsigned on_code(struct cursor *cursor, uint64_t first);
unsigned on_module(struct cursor *cursor, uint64_t first);
unsigned on_text(struct cursor *cursor, uint64_t value);
unsigned on_thread_name(struct cursor *cursor, uint64_t value);
unsigned on_made_code(struct cursor *cursor, uint64_t length);

#endif
