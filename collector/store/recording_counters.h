/*
 * A process's counters in the recording: the chunks of counters, and their sums by line.
 *
 * A snapshot writes what has changed since the last one: chunks, and lines, whose contents are
 * others. One thread.
 */
#ifndef HEAPLINE_COLLECTOR_RECORDING_COUNTERS_H
#define HEAPLINE_COLLECTOR_RECORDING_COUNTERS_H

#include "chunk.h"
#include "collector/native/stacks.h"
#include "collector/store/recording_database.h"
#include "collector/stream/process.h"

/* Brings a process's counters up to date; part of a transaction. `chunk` is empty, and used. Should
 * the transaction be undone, nothing more may be written of the process. */
bool recording_counters_write(struct recording_database *database, struct chunk_writer *chunk,
                              const struct stacks *stacks, struct process *process);

#endif
