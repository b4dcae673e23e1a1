/*
 * Finishing chunks and making checkpoints.
 */
#include "collector/book/history_queue.h"

#include <stdlib.h>
#include <string.h>

/* A checkpoint comes after so many events, and so many for each counter: a row of it costs two or
 * three bytes and is read as fast as a few events. */
#define CHECKPOINT_EVENTS             (UINT64_C(1) << 21)
#define CHECKPOINT_EVENTS_FOR_COUNTER 16u

bool history_queue_init(struct history_queue *queue, bool kept)
{
    *queue = (struct history_queue){.kept = kept, .checkpoint_at = CHECKPOINT_EVENTS};
    queue->last = &queue->first;
    return !kept || history_writer_init(&queue->writer);
}

void history_queue_deinit(struct history_queue *queue)
{
    for (struct history_part *part; (part = history_queue_take(queue));)
        history_part_free(part);
    history_writer_deinit(&queue->writer);
    queue->kept = false;
}

struct history_part *history_queue_take(struct history_queue *queue)
{
    struct history_part *part = queue->first;
    if (!part)
        return NULL;
    queue->first = part->next;
    if (!queue->first)
        queue->last = &queue->first;
    queue->waiting_bytes -= part->size;
    return part;
}

void history_part_free(struct history_part *part)
{
    free(part->chunk);
    free(part);
}

static void append_part(struct history_queue *queue, struct history_part *part)
{
    *queue->last = part;
    queue->last = &part->next;
    queue->waiting_bytes += part->size;
}

static bool append_chunk(struct history_queue *queue, struct packer *packer)
{
    struct history_part *part = calloc(1, sizeof *part);
    if (part)
        part->chunk = history_writer_finish(&queue->writer, packer);
    if (!part || !part->chunk) {
        free(part);
        return false;
    }
    part->size = part->chunk->summary_size + part->chunk->events_size + part->chunk->lifetimes_size;
    append_part(queue, part);
    return true;
}

bool history_queue_append_rows(struct history_queue *queue, struct chunk_writer *chunk,
                               struct history_position *position)
{
    uint32_t rows = chunk->rows;
    const uint8_t *data;
    size_t size = chunk_writer_finish(chunk, &data);
    struct history_part *part = size ? calloc(1, sizeof *part + size) : NULL;
    if (!part)
        return false;
    part->position = *position;
    part->rows = rows;
    part->size = size;
    memcpy(part->data, data, size);
    append_part(queue, part);
    position->first += rows;
    return true;
}

static bool make_checkpoint(struct history_queue *queue, struct chunk_writer *chunk,
                            const struct counters *counters, uint64_t events)
{
    struct history_position position = {.kind = HISTORY_PART_CHECKPOINT, .event = events};
    for (uint32_t i = 1; i < counters->count; i++) {
        const struct counter *counter = counters_at(counters, i);
        if (counter->blocks)
            chunk_add_live(chunk, &(struct live_row){i, counter_blocks(counter), counter->bytes});
        if (chunk->rows == CHUNK_ROWS && !history_queue_append_rows(queue, chunk, &position))
            return false;
    }
    /* The last part may be empty: it shows that the checkpoint is whole. */
    return history_queue_append_rows(queue, chunk, &position);
}

bool history_queue_finish_chunk(struct history_queue *queue, struct chunk_writer *chunk,
                                const struct counters *counters, uint64_t events)
{
    if (!queue->kept || queue->writer.span.events == 0)
        return true;
    bool good = append_chunk(queue, &chunk->packer);
    if (good && events >= queue->checkpoint_at) {
        good = make_checkpoint(queue, chunk, counters, events);
        uint64_t apart = (uint64_t)counters->count * CHECKPOINT_EVENTS_FOR_COUNTER;
        queue->checkpoint_at = events + (apart > CHECKPOINT_EVENTS ? apart : CHECKPOINT_EVENTS);
    }
    if (!good)
        history_queue_deinit(queue);
    return good;
}
