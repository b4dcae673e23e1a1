/*
 * Playing. A block's bucket is known from its number: the numbers with which the buckets begin
 * rise.
 *
 * Where a chunk is taken as a whole its summary says what its pairs have gained, and which blocks
 * from before it were freed; what lived and died inside of it makes no difference to any edge.
 *
 * A process that ends before the run does frees with its end what it still holds (moment.h).
 */
#include "viewer/html/changes_play.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

#include "viewer/base/cleanup.h"
#include "viewer/base/memory.h"
#include "viewer/history/history_walk.h"
#include "viewer/history/moment.h"
#include "viewer/history/slices.h"
#include "viewer/html/survivors.h"

/* So many events may be played one by one: an eighth of a second. */
#define EVENTS_MAX (UINT64_C(16) << 20)
/* Fewer buckets than this are of no use to anyone. */
#define BUCKETS_LEAST 64u
/* The recording's clock moves every millisecond. */
#define TICK_US 1000u

/* --- how many buckets --- */

struct span {
    uint64_t started_us, ended_us, events;
};

struct spans {
    struct span *list;
    size_t count;
};

static void cleanup_spans(struct spans *spans)
{
    free(spans->list);
}

static bool read_spans(struct spans *spans, struct recording *recording, size_t process)
{
    CLEANUP(rows_deinit) struct rows rows;
    if (!rows_init(&rows, &recording->database,
                   "SELECT started_us, ended_us, events FROM history_chunk WHERE process = ?1"))
        return false;
    sqlite3_bind_int64(rows.statement, 1, recording->processes[process].id);
    enum rows_step step;
    while ((step = rows_next(&rows)) == ROWS_ROW) {
        spans->list = memory_room(spans->list, spans->count, sizeof *spans->list);
        struct span *span = &spans->list[spans->count++];
        if (!rows_count(&rows, 0, &span->started_us) || !rows_count(&rows, 1, &span->ended_us) ||
            !rows_count(&rows, 2, &span->events))
            return false;
    }
    return step == ROWS_END;
}

/* How many events are in chunks in which one of the edges lies. */
static uint64_t events_to_play(const struct spans *spans, double length_us, size_t buckets)
{
    uint64_t events = 0;
    for (size_t i = 0; i < spans->count; i++) {
        const struct span *span = &spans->list[i];
        double edge = floor((double)span->ended_us * (double)buckets / length_us);
        if (edge * length_us / (double)buckets >= (double)span->started_us)
            events += span->events;
    }
    return events;
}

bool changes_buckets(struct recording *recording, const struct page_processes *processes,
                     size_t *buckets)
{
    double length_us = run_length(recording) * 1e6;
    CLEANUP(cleanup_spans) struct spans spans = {0};
    *buckets = TIME_GRID_BUCKETS_MAX;
    if (length_us < (double)*buckets * TICK_US)
        *buckets = (size_t)(length_us / TICK_US) + 1;
    for (size_t i = 0; i < processes->count; i++)
        if (!read_spans(&spans, recording, processes->list[i]))
            return false;
    while (*buckets > BUCKETS_LEAST && events_to_play(&spans, length_us, *buckets) > EVENTS_MAX)
        *buckets -= *buckets / 8;
    return true;
}

/* --- playing --- */

struct play {
    struct changes *changes;
    struct recording *recording;
    const struct process *process;
    const uint32_t *row_of;     /* by counter, from 0 */
    uint8_t *allocator_of;      /* by row */
    uint64_t *first_block;      /* by bucket, up to the one at hand */
    uint32_t bucket;            /* at hand */
    uint32_t inherited_bucket;  /* in which the process began with what it was forked with */
    uint64_t next_us;           /* the edge behind which the next one begins */
    uint64_t blocks;            /* allocated so far */
    struct survivors survivors; /* where they are freed with the process's end */
    bool is_freed;
    struct played *played;
    int64_t held[WIRE_ALLOCATOR_COUNT];
};

/* Goes on to the bucket in which something happens at `time_us`. */
static void bucket_enter(struct play *play, uint64_t time_us)
{
    const struct time_grid *grid = play->changes->grid;
    while (play->next_us < time_us && play->bucket + 2 < grid->count) {
        play->bucket++;
        play->first_block[play->bucket] = play->blocks;
        for (size_t i = 0; i < WIRE_ALLOCATOR_COUNT; i++)
            play->played->held[play->bucket][i] = play->held[i];
        play->next_us = grid->edges[play->bucket + 1];
    }
    changes_enter(play->changes, play->bucket);
}

/* Is all of the chunk in the bucket in which it begins? */
static bool is_in_one(const struct play *play, const struct history_span *span)
{
    return span->ended_us <= play->next_us || play->bucket + 2 >= play->changes->grid->count;
}

/* The last bucket that begins with this block or an earlier one. */
static uint32_t bucket_of_birth(const struct play *play, uint64_t block)
{
    uint32_t from = 0, to = play->bucket;
    if (block < play->process->inherited.first_block)
        return play->inherited_bucket;
    if (block >= play->first_block[to])
        return to;
    while (to - from > 1) {
        uint32_t middle = from + (to - from) / 2;
        if (play->first_block[middle] <= block)
            from = middle;
        else
            to = middle;
    }
    return from;
}

/* Blocks of a bucket that the process still holds are more, or fewer. */
static void survivor_add(struct play *play, uint32_t row, uint32_t bucket, int64_t blocks,
                         int64_t bytes)
{
    if (play->is_freed)
        survivors_add(&play->survivors, row, bucket, blocks, bytes);
}

static void free_one(struct play *play, uint32_t row, const struct history_pair *pair,
                     uint64_t block, bool restored)
{
    uint32_t bucket = bucket_of_birth(play, block);
    int64_t size = (int64_t)pair->size;
    if (bucket == play->bucket)
        return;
    changes_die(play->changes, row, bucket, restored ? -1 : 1, restored ? -size : size);
    survivor_add(play, row, bucket, restored ? 1 : -1, restored ? size : -size);
    survivor_add(play, row, play->bucket, restored ? -1 : 1, restored ? -size : size);
}

/* Adds to the row, in the bucket at hand. */
static void change_add(struct play *play, uint32_t row, uint64_t allocations, int64_t blocks,
                       uint64_t size)
{
    struct change *change = changes_at(play->changes, row);
    int64_t bytes = blocks * (int64_t)size;
    change->allocations += allocations;
    change->allocated_bytes += allocations * size;
    change->blocks += blocks;
    change->bytes += bytes;
    play->held[play->allocator_of[row]] += bytes;
    survivor_add(play, row, play->bucket, blocks, bytes);
}

static void take_pair(struct play *play, const struct history_pair *pair)
{
    uint32_t row = play->row_of[pair->counter - 1];
    if (row != PAGE_NO_ROW)
        change_add(play, row, pair->allocations, (int64_t)pair->allocations - pair->frees,
                   pair->size);
}

static void take_chunk(struct play *play, const struct history_reader *reader)
{
    for (uint32_t i = 0; i < reader->pair_count; i++)
        take_pair(play, &reader->pairs[i]);
    for (uint32_t i = 0; i < reader->exception_count; i++) {
        uint64_t block;
        bool restored;
        const struct history_pair *pair = history_exception(reader, i, &block, &restored);
        uint32_t row = play->row_of[pair->counter - 1];
        if (row != PAGE_NO_ROW)
            free_one(play, row, pair, block, restored);
    }
}

static void take_event(struct play *play, const struct history_event *event)
{
    const struct history_pair *pair = event->pair;
    uint32_t row = play->row_of[pair->counter - 1];
    bool is_allocation = event->kind == HISTORY_ALLOCATION;
    bool is_free = event->kind == HISTORY_FREE;
    if (event->time_us > play->next_us)
        bucket_enter(play, event->time_us);
    if (is_allocation)
        play->blocks = event->block + 1;
    if (row == PAGE_NO_ROW)
        return;
    change_add(play, row, is_allocation, is_free ? -1 : 1, pair->size);
    if (!is_allocation)
        free_one(play, row, pair, event->block, !is_free);
}

static bool play_chunk(struct play *play, struct history_walk *walk)
{
    struct history_event event;
    enum history_step step;
    if (!history_walk_open(walk))
        return false;
    while ((step = history_next(&walk->reader, &event)) == HISTORY_EVENT)
        take_event(play, &event);
    return step == HISTORY_END || history_walk_damaged(walk);
}

static bool play_history(struct play *play)
{
    const struct process *process = play->process;
    CLEANUP(history_walk_deinit) struct history_walk walk;
    if (!history_walk_init(&walk, &play->recording->database, process->id, process->counter_count,
                           0, process->events))
        return false;
    history_walk_tell(&walk);
    enum rows_step step;
    while ((step = history_walk_chunk(&walk)) == ROWS_ROW) {
        const struct history_span *span = &walk.reader.span;
        play->blocks = span->first_block;
        bucket_enter(play, span->started_us);
        if (is_in_one(play, span))
            take_chunk(play, &walk.reader);
        else if (!play_chunk(play, &walk))
            return false;
        play->blocks = walk.next_block;
    }
    play->played->is_whole = walk.next >= process->events;
    return step == ROWS_END;
}

/* What the process was forked with is there from its beginning on. */
static void take_inherited(struct play *play)
{
    const struct process *process = play->process;
    const struct held *inherited = process->inherited.held;
    if (!inherited)
        return;
    bucket_enter(play, (uint64_t)(process->started * 1e6));
    play->inherited_bucket = play->bucket;
    for (uint32_t i = 0; i < process->counter_count; i++) {
        uint32_t row = play->row_of[i];
        if (row == PAGE_NO_ROW)
            continue;
        struct change *change = changes_at(play->changes, row);
        change->blocks += (int64_t)inherited[i].blocks;
        change->bytes += (int64_t)inherited[i].bytes;
        play->held[play->allocator_of[row]] += (int64_t)inherited[i].bytes;
        survivor_add(play, row, play->bucket, (int64_t)inherited[i].blocks,
                     (int64_t)inherited[i].bytes);
    }
}

/* --- slices --- */

static void take_slice(void *context, double time, const struct change_row *row)
{
    struct play *play = context;
    uint32_t to = play->row_of[row->counter - 1];
    bucket_enter(play, (uint64_t)(time * 1e6));
    if (to == PAGE_NO_ROW)
        return;
    struct change *change = changes_at(play->changes, to);
    change->allocations += row->allocations;
    change->allocated_bytes += row->allocated_bytes;
    change->blocks += row->blocks;
    change->bytes += row->bytes;
    play->held[play->allocator_of[to]] += row->bytes;
    survivor_add(play, to, play->bucket, row->blocks, row->bytes);
}

static bool play_slices(struct play *play, size_t process)
{
    play->played->is_whole = true;
    return slices_visit(play->recording, process, 0, play->process->events, take_slice, play);
}

/* --- the end --- */

/* Frees what the process still holds, behind the time at which it ended. */
static void free_survivors(struct play *play)
{
    bucket_enter(play, (uint64_t)(play->process->ended * 1e6) + 1);
    for (size_t i = 0; i < play->survivors.count; i++) {
        const struct survivor *survivor = &play->survivors.list[i];
        struct change *change = changes_at(play->changes, survivor->row);
        change->blocks -= survivor->blocks;
        change->bytes -= survivor->bytes;
        play->held[play->allocator_of[survivor->row]] -= survivor->bytes;
        if (survivor->born != play->bucket && (survivor->blocks || survivor->bytes))
            changes_die(play->changes, survivor->row, survivor->born, survivor->blocks,
                        survivor->bytes);
    }
}

bool changes_play(struct changes *changes, size_t process, struct played *played)
{
    struct recording *recording = changes->rows->recording;
    size_t edges = changes->grid->count;
    *played = (struct played){.held = memory_new(edges, sizeof *played->held)};
    struct play play = {
        .changes = changes,
        .recording = recording,
        .process = &recording->processes[process],
        .row_of = changes->rows->row_of[process],
        .allocator_of = memory_new(changes->rows->count, sizeof *play.allocator_of),
        .first_block = memory_new(edges, sizeof *play.first_block),
        .is_freed = process_is_gone(recording, process, run_length(recording)),
        .played = played,
        .next_us = changes->grid->edges[1],
    };
    for (uint32_t i = 0; i < changes->rows->count; i++)
        play.allocator_of[i] = (uint8_t)changes->rows->list[i].allocator;
    changes_enter(changes, 0);
    take_inherited(&play);
    bool good = recording->run.history ? play_history(&play) : play_slices(&play, process);
    if (good && play.is_freed)
        free_survivors(&play);
    bucket_enter(&play, UINT64_MAX);
    for (size_t i = 0; i < WIRE_ALLOCATOR_COUNT; i++)
        played->held[edges - 1][i] = play.held[i];
    free(play.allocator_of);
    free(play.first_block);
    survivors_deinit(&play.survivors);
    return good;
}

void played_deinit(struct played *played)
{
    free(played->held);
    *played = (struct played){0};
}
