/*
 * A process's history on its way into the recording: the chunk that is being filled, and the
 * finished chunks and checkpoints that wait for the next transaction. Where no history is kept,
 * slices (slices.h) wait here.
 *
 * A checkpoint says what every counter holds before a certain event, always the first of a chunk.
 * It is made when the events since the last one are many beside what it costs to write, so that
 * any moment is one checkpoint and a bounded number of chunks away.
 *
 * When memory is short the history ends there, whoever asked is told (ledger.history_short), and
 * everything else goes on. One thread at a time.
 */
#ifndef HEAPLINE_COLLECTOR_HISTORY_QUEUE_H
#define HEAPLINE_COLLECTOR_HISTORY_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "chunk.h"
#include "collector/book/counters.h"
#include "history_writer.h"

enum history_part_kind {
    HISTORY_PART_CHUNK,
    HISTORY_PART_CHECKPOINT,
    HISTORY_PART_SLICE,
};

/* Where rows of a checkpoint or of a slice belong. */
struct history_position {
    enum history_part_kind kind;
    uint64_t event; /* the checkpoint stands before it; the slice's end does */
    double time;    /* of a slice */
    uint32_t first; /* number of the first row */
};

struct history_part {
    struct history_part *next;
    struct history_chunk *chunk; /* of a HISTORY_PART_CHUNK; null: it is rows */
    struct history_position position;
    uint32_t rows;
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

/* `kept`: with history. False: no memory. */
bool history_queue_init(struct history_queue *queue, bool kept);
void history_queue_deinit(struct history_queue *queue);

/* Ends the chunk at hand, if it has events, and makes a checkpoint of the counters when it is time:
 * `events` have been counted in them. Packs with `chunk`. False: no memory, and the history ends
 * here. */
bool history_queue_finish_chunk(struct history_queue *queue, struct chunk_writer *chunk,
                                const struct counters *counters, uint64_t events);

/* Packs the rows gathered so far, and moves position->first behind them. False: no memory. */
bool history_queue_append_rows(struct history_queue *queue, struct chunk_writer *chunk,
                               struct history_position *position);

/* Takes out the first part that waits; the caller frees it with history_part_free(). Null: none. */
struct history_part *history_queue_take(struct history_queue *queue);
void history_part_free(struct history_part *part);

#endif
