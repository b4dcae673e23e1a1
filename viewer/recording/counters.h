/*
 * The counted rows of a recording, in one pass.
 */
#ifndef HEAPLINE_VIEWER_RECORDING_COUNTERS_H
#define HEAPLINE_VIEWER_RECORDING_COUNTERS_H

#include <stdbool.h>

#include "chunk.h"
#include "viewer/recording/recording.h"

/* Takes the `number`-th row, from 0. False: it cannot be. */
typedef bool counters_taker(void *context, uint32_t number, const struct counter_row *row);

/* Reads all rows of the process with this id; nothing is checked but their form. False, with a
 * problem in the database, when they are damaged or one is not taken. */
bool counters_read(struct database *database, uint32_t process, counters_taker *take,
                   void *context);

/* Takes one row, the `number`-th from 0, of the process with this index. Its node, thread and
 * allocator exist. `inherited`: it tells of blocks that the process was forked with; where what
 * that was is not known (inheritance.h), its numbers are below zero, modulo 2^64. */
typedef void counters_visitor(void *context, size_t process, uint32_t number,
                              const struct counter_row *row, bool inherited);

/* Visits all rows of one process, and then compares the sums of its own that are not
 * apart (allocators.h) with the process's. False,
 * with a problem in the recording, when anything is wrong: what was visited then means nothing. */
bool counters_visit(struct recording *recording, size_t process, counters_visitor *visitor,
                    void *context);

#endif
