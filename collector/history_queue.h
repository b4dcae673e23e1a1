/*
 * A process's history on its way into the recording: the chunk that is being filled, and the
 * finished chunks and checkpoints that wait for the next transaction.
 *
 * A checkpoint says what every counter holds before a certain event, always the first of a chunk.
 * It is made when the events since the last one are many beside what it costs to write, so that
 * any moment is one checkpoint and a bounded number of chunks away.
 *
 * When memory is short the history ends there, run->history_short says so, and everything else goes
 * on. One thread at a time.
 */
#ifndef HEAPLINE_COLLECTOR_HISTORY_QUEUE_H
#define HEAPLINE_COLLECTOR_HISTORY_QUEUE_H

#include "history_writer.h"

struct run;
struct process;

/* A chunk of history, or rows of a checkpoint. */
struct history_part {
    struct history_part *next;
    struct history_chunk *chunk; /* null: it is a checkpoint's: */
    uint64_t event;              /* it stands before */
    uint32_t first, rows;
    size_t size;
    uint8_t data[];
};

struct history_queue {
    bool kept; /* false: not wanted, or given up */
    struct history_writer writer;
    struct history_part *first, **last; /* what waits */
    size_t waiting_bytes;
    uint64_t checkpoint_at; /* number of events */
};

/* False: no memory. */
bool history_queue_init(struct history_queue *queue);
void history_queue_deinit(struct history_queue *queue);

/* Ends the chunk at hand, if it has events, and makes a checkpoint when it is time. */
void history_queue_finish_chunk(struct run *run, struct process *process);

/* Takes out the first part that waits; the caller frees it with history_part_free(). Null: none. */
struct history_part *history_queue_take(struct history_queue *queue);
void history_part_free(struct history_part *part);

#endif
