/*
 * From words to counts: drains a process's ring.
 *
 * The words come from shared memory that the traced process can write, so nothing in them is
 * trusted: positions are masked, kinds, thread slots, code numbers, levels and lengths are checked,
 * and what makes no sense is counted in book.damaged and skipped.
 */
#ifndef HEAPLINE_COLLECTOR_DECODE_H
#define HEAPLINE_COLLECTOR_DECODE_H

#include <stdbool.h>
#include <stdint.h>

#include "collector/stream/process.h"

#define DECODE_ALL UINT64_MAX

/* Reads at most `words` words that have been published, and stops before a TIME record that is
 * later than `until_ns`. Returns how many were read. */
uint64_t decode_ring(struct run *run, struct process *process, uint64_t words, uint64_t until_ns);

/* The time of the next record; false when none has been published. */
bool decode_next_time(const struct process *process, uint64_t *time_ns);

/* Skips words that were reserved and never published, up to the next record. For a process that
 * cannot publish them any more. Returns how many words were skipped; whether something is missing
 * there the caller must know: a process that died while it wrote a record had not published it. */
uint64_t decode_skip_hole(struct process *process);

#endif
