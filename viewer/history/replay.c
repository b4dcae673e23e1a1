/*
 * Replays.
 *
 * What was held at a position is the last checkpoint before it, plus what each whole chunk from
 * there on changed (its summary says so, its events are not looked at), plus the events of the
 * chunk in which the position lies, one by one. So the cost is that of a bounded number of chunks.
 *
 * Between two positions, what has been freed of the things held before is found without knowing
 * any block: they are those whose number is below that of the first block of the span.
 */
#include "viewer/history/replay.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

#include "chunk.h"
#include "viewer/base/cleanup.h"
#include "viewer/base/memory.h"
#include "viewer/history/history_walk.h"
#include "viewer/recording/inheritance.h"

/* Does something with a whole chunk, whose summary is open, or with one event. */
struct replayer {
    void (*chunk)(void *context, const struct history_reader *reader);
    void (*event)(void *context, const struct history_event *event);
    void *context;
    bool is_long; /* tells how far it is */
};

bool history_is_kept(struct recording *recording)
{
    return recording->run.history ||
           database_refuse(&recording->database,
                           "%s was recorded with --no-history: this needs the history",
                           recording->database.path);
}

/* A process of a recording. */
struct replay {
    struct recording *recording;
    const struct process *process;
};

static bool replay_damaged(const struct replay *replay)
{
    return database_damaged(&replay->recording->database, "in the history of process %" PRId64,
                            replay->process->pid);
}

static bool begin_walk(const struct replay *replay, uint64_t from, uint64_t to,
                       struct history_walk *walk)
{
    return history_walk_init(walk, &replay->recording->database, replay->process->id,
                             replay->process->counter_count, from, to);
}

/* The chunk's events from `from` to before `to`, one by one. */
static bool replay_events(struct history_walk *walk, uint64_t from, uint64_t to,
                          const struct replayer *replayer)
{
    struct history_event event;
    enum history_step step = HISTORY_EVENT;
    if (!history_walk_open(walk))
        return false;
    for (uint64_t number = walk->reader.span.first_event; number < to; number++) {
        step = history_next(&walk->reader, &event);
        if (step != HISTORY_EVENT)
            break;
        if (number >= from)
            replayer->event(replayer->context, &event);
    }
    return step != HISTORY_DAMAGED || history_walk_damaged(walk);
}

/* Replays the events from `from` to before `to`. */
static bool replay_between(const struct replay *replay, uint64_t from, uint64_t to,
                           const struct replayer *replayer)
{
    struct recording *recording = replay->recording;
    CLEANUP(history_walk_deinit) struct history_walk walk;
    if (!begin_walk(replay, from, to, &walk))
        return false;
    if (replayer->is_long)
        history_walk_tell(&walk);
    enum rows_step step;
    while ((step = history_walk_chunk(&walk)) == ROWS_ROW) {
        if (walk.reader.span.first_event >= from && walk.next <= to)
            replayer->chunk(replayer->context, &walk.reader);
        else if (!replay_events(&walk, from, to, replayer))
            return false;
    }
    uint64_t reached = walk.next ? walk.next : from;
    if (step == ROWS_END && reached < to)
        return database_refuse(&recording->database,
                               "the history of process %" PRId64 " in %s ends after %" PRIu64
                               " of its %" PRIu64 " events; ask for an earlier moment",
                               replay->process->pid, recording->database.path, reached,
                               replay->process->events);
    return step == ROWS_END;
}

/* --- positions --- */

/* Counts the events up to a time in the chunk at hand. */
static bool count_until(struct history_walk *walk, uint64_t until_us, uint64_t *position)
{
    const struct history_span *span = &walk->reader.span;
    struct history_event event;
    enum history_step step;
    *position = span->first_event + span->events;
    if (span->ended_us <= until_us)
        return true;
    if (!history_walk_open(walk))
        return false;
    uint64_t number = span->first_event;
    while ((step = history_next(&walk->reader, &event)) == HISTORY_EVENT) {
        if (event.time_us > until_us)
            break;
        number++;
    }
    *position = number;
    return step != HISTORY_DAMAGED || history_walk_damaged(walk);
}

/* The first event of the last chunk that begins up to a time; *found says whether there is one. */
static bool find_chunk(const struct replay *replay, uint64_t until_us, uint64_t *first, bool *found)
{
    CLEANUP(rows_deinit) struct rows rows;
    if (!rows_init(&rows, &replay->recording->database,
                   "SELECT first_event FROM history_chunk WHERE process = ?1 "
                   "AND started_us <= ?2 AND first_event + events <= ?3 "
                   "ORDER BY started_us DESC, first_event DESC LIMIT 1"))
        return false;
    sqlite3_bind_int64(rows.statement, 1, replay->process->id);
    sqlite3_bind_int64(rows.statement, 2, (int64_t)until_us);
    sqlite3_bind_int64(rows.statement, 3, (int64_t)replay->process->events);
    enum rows_step step = rows_next(&rows);
    *found = step == ROWS_ROW;
    return step == ROWS_END || (step == ROWS_ROW && rows_count(&rows, 0, first));
}

static bool position_at(const struct replay *replay, uint64_t until_us, uint64_t *position)
{
    uint64_t first;
    bool found;
    *position = 0;
    if (!find_chunk(replay, until_us, &first, &found))
        return false;
    if (!found)
        return true;
    CLEANUP(history_walk_deinit) struct history_walk walk;
    return begin_walk(replay, first, first + 1, &walk) && history_walk_chunk(&walk) == ROWS_ROW &&
           count_until(&walk, until_us, position);
}

bool history_position(struct recording *recording, size_t process, const struct moment *moment,
                      struct position *position)
{
    const struct process *of = &recording->processes[process];
    double seconds;
    position->time = NAN;
    if (moment_events(moment, of, &position->events))
        return true;
    if (!moment_seconds(moment, recording, &seconds))
        return false;
    struct replay replay = {recording, of};
    return history_is_kept(recording) &&
           position_at(&replay, (uint64_t)(seconds * 1e6), &position->events);
}

/* --- what was held --- */

static bool load_rows(const struct replay *replay, struct rows *rows, struct chunk_reader *reader,
                      struct held *held)
{
    int64_t first, count = CHUNK_ROWS, next = 0;
    while (count == CHUNK_ROWS) {
        const void *data;
        size_t size;
        if (rows_next(rows) != ROWS_ROW || !rows_whole(rows, 0, next, next, &first) ||
            !rows_whole(rows, 1, 0, CHUNK_ROWS, &count) || !rows_blob(rows, 2, &data, &size) ||
            !chunk_reader_open(reader, data, size))
            return replay_damaged(replay);
        for (int64_t i = 0; i < count; i++) {
            struct live_row row;
            if (!chunk_next_live(reader, &row) || row.counter > replay->process->counter_count)
                return replay_damaged(replay);
            held[row.counter - 1] = (struct held){.bytes = row.bytes, .blocks = row.blocks};
        }
        if (!chunk_reader_at_end(reader))
            return replay_damaged(replay);
        next += count;
    }
    return true;
}

static bool load_checkpoint(const struct replay *replay, uint64_t event, struct held *held)
{
    CLEANUP(rows_deinit) struct rows rows;
    CLEANUP(chunk_reader_deinit) struct chunk_reader reader;
    if (!chunk_reader_init(&reader))
        return database_damaged(&replay->recording->database, "not enough memory for its history");
    if (!rows_init(&rows, &replay->recording->database,
                   "SELECT first, count, data FROM checkpoint_chunk WHERE process = ?1 "
                   "AND event = ?2 ORDER BY first"))
        return false;
    sqlite3_bind_int64(rows.statement, 1, replay->process->id);
    sqlite3_bind_int64(rows.statement, 2, (int64_t)event);
    return load_rows(replay, &rows, &reader, held);
}

/* The event before which the last checkpoint up to `position` stands; 0: the start. */
static bool find_checkpoint(const struct replay *replay, uint64_t position, uint64_t *event)
{
    CLEANUP(rows_deinit) struct rows rows;
    if (!rows_init(&rows, &replay->recording->database,
                   "SELECT event FROM checkpoint_chunk WHERE process = ?1 AND event <= ?2 "
                   "ORDER BY event DESC LIMIT 1"))
        return false;
    sqlite3_bind_int64(rows.statement, 1, replay->process->id);
    sqlite3_bind_int64(rows.statement, 2, (int64_t)position);
    *event = 0;
    enum rows_step step = rows_next(&rows);
    return step == ROWS_END || (step == ROWS_ROW && rows_count(&rows, 0, event));
}

/* Sums are kept modulo 2^64; whether they make sense is seen at the end. */
static void hold_chunk(void *context, const struct history_reader *reader)
{
    struct held *held = context;
    for (uint32_t i = 0; i < reader->pair_count; i++) {
        const struct history_pair *pair = &reader->pairs[i];
        held_add_blocks(&held[pair->counter - 1], (int64_t)pair->allocations - pair->frees,
                        pair->size);
    }
}

static void hold_event(void *context, const struct history_event *event)
{
    held_change((struct held *)context + (event->pair->counter - 1), event);
}

static bool check_held(const struct replay *replay, const struct held *held)
{
    for (uint32_t i = 0; i < replay->process->counter_count; i++)
        if (!inheritance_allows(replay->process, &held[i]))
            return replay_damaged(replay);
    return true;
}

static bool replay_held(const struct replay *replay, uint64_t position, struct held *held)
{
    const struct replayer replayer = {hold_chunk, hold_event, held, false};
    uint64_t checkpoint;
    if (!find_checkpoint(replay, position, &checkpoint) ||
        (checkpoint && !load_checkpoint(replay, checkpoint, held)) ||
        !replay_between(replay, checkpoint, position, &replayer))
        return false;
    inheritance_add(replay->process, held);
    return check_held(replay, held);
}

bool history_held_at(struct recording *recording, size_t process, uint64_t position,
                     struct held **held)
{
    *held = memory_new(recording->processes[process].counter_count, sizeof **held);
    struct replay replay = {recording, &recording->processes[process]};
    return history_is_kept(recording) && replay_held(&replay, position, *held);
}

/* --- between two positions --- */

struct span_count {
    struct happened *happened;
    uint64_t first_block; /* the first one allocated in the span */
    bool restored;        /* a block from before came back: its free may lie before the span */
};

static void free_old(struct span_count *count, const struct history_pair *pair, bool restored)
{
    held_add_blocks(&count->happened[pair->counter - 1].freed, restored ? -1 : 1, pair->size);
    count->restored |= restored;
}

static void span_chunk(void *context, const struct history_reader *reader)
{
    struct span_count *count = context;
    for (uint32_t i = 0; i < reader->pair_count; i++) {
        const struct history_pair *pair = &reader->pairs[i];
        struct happened *happened = &count->happened[pair->counter - 1];
        happened->allocations += pair->allocations;
        happened->allocated_bytes += pair->allocations * pair->size;
    }
    for (uint32_t i = 0; i < reader->exception_count; i++) {
        uint64_t block;
        bool restored;
        const struct history_pair *pair = history_exception(reader, i, &block, &restored);
        if (block < count->first_block)
            free_old(count, pair, restored);
    }
}

static void span_event(void *context, const struct history_event *event)
{
    struct span_count *count = context;
    if (event->kind == HISTORY_ALLOCATION) {
        struct happened *happened = &count->happened[event->pair->counter - 1];
        happened->allocations++;
        happened->allocated_bytes += event->pair->size;
    } else if (event->block < count->first_block) {
        free_old(count, event->pair, event->kind == HISTORY_RESTORE);
    }
}

/* Counts allocations: a position's block is the number of those before it. */
static void count_chunk(void *context, const struct history_reader *reader)
{
    uint64_t *blocks = context;
    *blocks = reader->span.first_block;
    for (uint32_t i = 0; i < reader->pair_count; i++)
        *blocks += reader->pairs[i].allocations;
}

static void count_event(void *context, const struct history_event *event)
{
    if (event->kind == HISTORY_ALLOCATION)
        *(uint64_t *)context = event->block + 1;
}

/* The number of blocks allocated before a position. */
static bool blocks_before(const struct replay *replay, uint64_t position, uint64_t *blocks)
{
    const struct replayer replayer = {count_chunk, count_event, blocks, false};
    uint64_t first = replay->process->inherited.first_block;
    *blocks = position ? first : 0;
    /* The last chunk that begins before it, and one with an allocation in it before that. */
    uint64_t from = position;
    while (from > 0 && *blocks == first) {
        from = from > HISTORY_EVENTS_MAX ? from - HISTORY_EVENTS_MAX : 0;
        if (!replay_between(replay, from, position, &replayer))
            return false;
    }
    return true;
}

static bool replay_span(const struct replay *replay, uint64_t from, uint64_t to,
                        struct happened *happened)
{
    uint32_t counters = replay->process->counter_count;
    CLEANUP(cleanup_free) struct held *before = memory_new(counters, sizeof *before);
    CLEANUP(cleanup_free) struct held *after = memory_new(counters, sizeof *after);
    struct span_count count = {.happened = happened};
    const struct replayer replayer = {span_chunk, span_event, &count, true};
    /* At the start nothing has begun: what was inherited comes with the first event. */
    if ((from && !replay_held(replay, from, before)) || (to && !replay_held(replay, to, after)) ||
        !blocks_before(replay, from, &count.first_block) ||
        !replay_between(replay, from, to, &replayer))
        return false;
    for (uint32_t i = 0; i < counters; i++) {
        struct happened *at = &happened[i];
        at->kept.blocks = after[i].blocks - before[i].blocks + at->freed.blocks;
        at->kept.bytes = after[i].bytes - before[i].bytes + at->freed.bytes;
        bool possible = at->kept.blocks <= at->allocations &&
                        at->kept.bytes <= at->allocated_bytes &&
                        at->freed.blocks <= before[i].blocks && at->freed.bytes <= before[i].bytes;
        if (!possible && !count.restored && !replay->process->inherited.parent)
            return replay_damaged(replay);
    }
    return true;
}

bool history_between(struct recording *recording, size_t process, uint64_t from, uint64_t to,
                     struct happened **happened)
{
    *happened = memory_new(recording->processes[process].counter_count, sizeof **happened);
    struct replay replay = {recording, &recording->processes[process]};
    return history_is_kept(recording) && replay_span(&replay, from, to, *happened);
}
