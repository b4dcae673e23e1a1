/*
 * One traced process: who it is, the end of its ring, what it has said of itself, and what is
 * counted of it.
 *
 * States: running; ended (its pidfd says so, or another program has taken its place by exec, or its
 * stream has ended and nobody has gone on with it); finished (drained to the last word, its rows
 * written). One thread owns all processes.
 */
#ifndef HEAPLINE_COLLECTOR_PROCESS_H
#define HEAPLINE_COLLECTOR_PROCESS_H

#include <stdbool.h>
#include <stdint.h>

#include "collector/book/book.h"
#include "collector/peer/peer.h"
#include "collector/stream/mirror.h"
#include "collector/stream/ring_end.h"
#include "collector/stream/run.h"
#include "collector/survey/survey.h"

struct process {
    struct peer peer;
    struct ring_end ring;
    struct mirror mirror;
    struct book book;
    uint64_t snapshot_position, snapshot_ns; /* when the recording was brought up to date last */
};

/* Makes a process with a fresh ring, whose descriptors are the caller's to close. With a stream
 * there are none (-1), and the arrival's connection is taken over. Null when memory or descriptors
 * are short. */
struct process *process_new(struct run *run, const struct arrival *arrival,
                            const struct ring_plan *plan, int parts[RING_PARTS]);
/* It has ended and been read to the last word: closes and frees all that is not needed for writing
 * its rows, or by those who inherit. */
void process_retire(struct process *process);

/* Closes everything; accepts and returns null. */
struct process *process_free(struct process *process);

/* Of whom a survey is taken. */
struct survey_subject process_subject(struct run *run, struct process *process);

/* Has it ended, or, where that cannot be seen, closed its stream? */
bool process_has_ended(const struct process *process);

/* Has another program taken its place, after it had said so? */
bool process_is_replaced(const struct process *process);

/* What is not in the recording for this reason, as far as is known; and for any. */
uint64_t process_damage(const struct process *process, enum damage reason);
uint64_t process_lost(const struct process *process);

/* The thread in a slot, made when it was never announced; null when memory is short. */
struct thread_mirror *process_thread(struct run *run, struct process *process, uint32_t slot);
/* A slot has a new owner. */
void process_thread_begin(struct run *run, struct process *process, uint32_t slot, uint32_t tid);
/* What Python calls the thread in a slot; what it has done so far may count under another one's
 * number, where it had that. */
void process_name_thread(struct run *run, struct process *process, uint32_t slot, const char *name);
#endif
