/*
 * What some processes of a recording held together when the run ended.
 *
 * Each process has an end of its own, at a time of its own, and what they held there was never held
 * together. A run ends when the code of the process ends that the command began with; where that is
 * none of them, with the last of them. Who had ended by then holds nothing.
 */
#ifndef HEAPLINE_VIEWER_QUESTION_RUN_END_H
#define HEAPLINE_VIEWER_QUESTION_RUN_END_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "viewer/recording/recording.h"

struct run_end {
    uint64_t bytes, blocks;
    size_t processes; /* that were there */
};

/* `processes` are indices. False, with a problem in the recording, when it is damaged. */
bool run_end_find(struct run_end *end, struct recording *recording, const size_t *processes,
                  size_t count);

/* Until when a process's program lived, as nearly as is known: to the end of its own code, or until
 * it was gone or the recording ended, however long it had been idle by then. */
double process_lived_until(const struct recording *recording, const struct process *process);

#endif
