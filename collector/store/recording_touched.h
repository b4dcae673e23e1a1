/*
 * What of a process's memory was touched, in the recording: the peak of it with what each counter
 * had touched then, and what was untouched at the run's.
 *
 * Written with the process's other rows, where it has changed. One thread.
 */
#ifndef HEAPLINE_COLLECTOR_RECORDING_TOUCHED_H
#define HEAPLINE_COLLECTOR_RECORDING_TOUCHED_H

#include "chunk.h"
#include "collector/native/stacks.h"
#include "collector/store/recording_database.h"
#include "collector/stream/process.h"

/* As recording_counters_write(). */
bool recording_touched_write(struct recording_database *database, struct chunk_writer *chunk,
                             const struct stacks *stacks, struct process *process);

#endif
