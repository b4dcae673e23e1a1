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
#include "viewer/replay.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

#include "chunk.h"
#include "viewer/cleanup.h"
#include "viewer/counters.h"
#include "viewer/memory.h"

/* Does something with a whole chunk, whose summary is open, or with one event. */
struct replayer {
    void (*chunk)(void *context, const struct history_reader *reader);
    void (*event)(void *context, const struct history_event *event);
    void *context;
};

/* One pass over a part of a process's history. */
struct replay {
    struct recording *recording;
    const struct process *process;
    struct history_reader reader;
    uint64_t next_event, next_block; /* where the chunk to come must begin */
    uint64_t from, to;
    const struct replayer *replayer;
};

static bool replay_damaged(struct replay *replay)
{
    return database_damaged(&replay->recording->database,
                            "in the history of process %" PRId64 ", from event %" PRIu64 " on",
                            replay->process->pid, replay->next_event);
}

static bool check_history(struct recording *recording)
{
    return recording->run.history ||
           database_refuse(&recording->database,
                           "%s was recorded with --no-history: it knows of peak, end and exit only",
                           recording->database.path);
}

static bool replay_init(struct replay *replay, struct recording *recording, size_t process)
{
    *replay = (struct replay){.recording = recording, .process = &recording->processes[process]};
    return check_history(recording) &&
           (history_reader_init(&replay->reader) ||
            database_damaged(&recording->database, "not enough memory for its history"));
}

static void replay_deinit(struct replay *replay)
{
    history_reader_deinit(&replay->reader);
}

#define CHUNK_COLUMNS "first_event, events, first_block, started_us, ended_us, summary, data"

static bool read_span(struct rows *rows, struct history_span *span)
{
    int64_t events;
    if (!rows_count(rows, 0, &span->first_event) ||
        !rows_whole(rows, 1, 1, HISTORY_EVENTS_MAX, &events) ||
        !rows_count(rows, 2, &span->first_block) || !rows_count(rows, 3, &span->started_us) ||
        !rows_count(rows, 4, &span->ended_us))
        return false;
    span->events = (uint32_t)events;
    return true;
}

/* Reads the summary of the chunk that a row holds. */
static bool open_chunk(struct replay *replay, struct rows *rows)
{
    struct history_span span;
    const void *summary;
    size_t size;
    return read_span(rows, &span) && rows_blob(rows, 5, &summary, &size) &&
           (history_reader_open(&replay->reader, &span, replay->process->counter_count, summary,
                                size) ||
            replay_damaged(replay));
}

static bool begin_events(struct replay *replay, struct rows *rows)
{
    const void *data;
    size_t size;
    return rows_blob(rows, 6, &data, &size) &&
           (history_reader_begin(&replay->reader, data, size) || replay_damaged(replay));
}

/* The chunk's events that lie in the span, one by one. */
static bool replay_events(struct replay *replay, struct rows *rows)
{
    struct history_event event;
    uint64_t number = replay->reader.span.first_event;
    if (!begin_events(replay, rows))
        return false;
    for (; number < replay->to; number++) {
        switch (history_next(&replay->reader, &event)) {
        case HISTORY_EVENT:
            if (number >= replay->from)
                replay->replayer->event(replay->replayer->context, &event);
            break;
        case HISTORY_END:
            return true;
        case HISTORY_DAMAGED:
            return replay_damaged(replay);
        }
    }
    return true;
}

static uint64_t blocks_of(const struct history_reader *reader)
{
    uint64_t blocks = 0;
    for (uint32_t i = 0; i < reader->pair_count; i++)
        blocks += reader->pairs[i].allocations;
    return blocks;
}

static bool replay_row(struct replay *replay, struct rows *rows)
{
    if (!open_chunk(replay, rows))
        return false;
    const struct history_span *span = &replay->reader.span;
    bool first = replay->next_event == UINT64_MAX;
    if (!first &&
        (span->first_event != replay->next_event || span->first_block != replay->next_block))
        return replay_damaged(replay);
    replay->next_event = span->first_event + span->events;
    replay->next_block = span->first_block + blocks_of(&replay->reader);
    if (span->first_event < replay->from || replay->next_event > replay->to)
        return replay_events(replay, rows);
    replay->replayer->chunk(replay->replayer->context, &replay->reader);
    return true;
}

/* Replays the events from `from` to before `to`. */
static bool replay_run(struct replay *replay, uint64_t from, uint64_t to,
                       const struct replayer *replayer)
{
    struct recording *recording = replay->recording;
    CLEANUP(rows_deinit) struct rows rows;
    if (!rows_init(&rows, &recording->database,
                   "SELECT " CHUNK_COLUMNS " FROM history_chunk WHERE process = ?1 "
                   "AND first_event > ?4 AND first_event + events > ?2 AND first_event < ?3 "
                   "ORDER BY first_event"))
        return false;
    sqlite3_bind_int64(rows.statement, 1, replay->process->id);
    sqlite3_bind_int64(rows.statement, 2, (int64_t)from);
    sqlite3_bind_int64(rows.statement, 3, (int64_t)to);
    sqlite3_bind_int64(rows.statement, 4, (int64_t)from - HISTORY_EVENTS_MAX);
    replay->from = from;
    replay->to = to;
    replay->replayer = replayer;
    replay->next_event = UINT64_MAX;
    enum rows_step step;
    while ((step = rows_next(&rows)) == ROWS_ROW)
        if (!replay_row(replay, &rows))
            return false;
    uint64_t reached = replay->next_event == UINT64_MAX ? from : replay->next_event;
    if (step == ROWS_END && reached < to)
        return database_refuse(&recording->database,
                               "the history of process %" PRId64 " in %s ends after %" PRIu64
                               " of its %" PRIu64 " events; ask for an earlier moment",
                               replay->process->pid, recording->database.path, reached,
                               replay->process->events);
    return step == ROWS_END;
}

/* --- positions --- */

/* Counts the events up to a time in the chunk that is open. */
static bool count_until(struct replay *replay, struct rows *rows, uint64_t until_us,
                        uint64_t *position)
{
    *position = replay->reader.span.first_event + replay->reader.span.events;
    if (replay->reader.span.ended_us <= until_us)
        return true;
    if (!begin_events(replay, rows))
        return false;
    struct history_event event;
    enum history_step step;
    uint64_t number = replay->reader.span.first_event;
    while ((step = history_next(&replay->reader, &event)) == HISTORY_EVENT) {
        if (event.time_us > until_us)
            break;
        number++;
    }
    *position = number;
    return step != HISTORY_DAMAGED || replay_damaged(replay);
}

static bool position_at(struct replay *replay, uint64_t until_us, uint64_t *position)
{
    CLEANUP(rows_deinit) struct rows rows;
    if (!rows_init(&rows, &replay->recording->database,
                   "SELECT " CHUNK_COLUMNS " FROM history_chunk WHERE process = ?1 "
                   "AND started_us <= ?2 AND first_event + events <= ?3 "
                   "ORDER BY first_event DESC LIMIT 1"))
        return false;
    sqlite3_bind_int64(rows.statement, 1, replay->process->id);
    sqlite3_bind_int64(rows.statement, 2, (int64_t)until_us);
    sqlite3_bind_int64(rows.statement, 3, (int64_t)replay->process->events);
    *position = 0;
    enum rows_step step = rows_next(&rows);
    if (step != ROWS_ROW)
        return step == ROWS_END;
    return open_chunk(replay, &rows) && count_until(replay, &rows, until_us, position);
}

bool history_position(struct recording *recording, size_t process, const struct moment *moment,
                      uint64_t *position)
{
    const struct process *of = &recording->processes[process];
    double seconds;
    switch (moment->kind) {
    case MOMENT_PEAK:
        *position = of->peak_events;
        return true;
    case MOMENT_END:
        *position = of->end_events;
        return true;
    case MOMENT_EXIT:
        *position = of->events;
        return true;
    case MOMENT_TIME:
        break;
    }
    if (!moment_seconds(moment, recording, &seconds))
        return false;
    struct replay replay;
    bool good = replay_init(&replay, recording, process) &&
                position_at(&replay, (uint64_t)(seconds * 1e6), position);
    replay_deinit(&replay);
    return good;
}

/* --- what was held --- */

static bool load_rows(struct replay *replay, struct rows *rows, struct chunk_reader *reader,
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

static bool load_checkpoint(struct replay *replay, uint64_t event, struct held *held)
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
static bool find_checkpoint(struct replay *replay, uint64_t position, uint64_t *event)
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
        uint64_t blocks = (uint64_t)((int64_t)pair->allocations - pair->frees);
        held[pair->counter - 1].blocks += blocks;
        held[pair->counter - 1].bytes += blocks * pair->size;
    }
}

static void hold_event(void *context, const struct history_event *event)
{
    struct held *held = (struct held *)context + event->pair->counter - 1;
    bool gone = event->kind == HISTORY_FREE;
    held->blocks += gone ? UINT64_MAX : 1;
    held->bytes += gone ? -event->pair->size : event->pair->size;
}

static bool check_held(struct replay *replay, const struct held *held)
{
    for (uint32_t i = 0; i < replay->process->counter_count; i++)
        if (held[i].blocks > UINT32_MAX || held[i].bytes > INT64_MAX)
            return replay_damaged(replay);
    return true;
}

static bool hold(struct replay *replay, uint64_t position, struct held *held)
{
    const struct replayer replayer = {hold_chunk, hold_event, held};
    uint64_t checkpoint;
    return find_checkpoint(replay, position, &checkpoint) &&
           (checkpoint == 0 || load_checkpoint(replay, checkpoint, held)) &&
           replay_run(replay, checkpoint, position, &replayer) && check_held(replay, held);
}

bool history_held_at(struct recording *recording, size_t process, uint64_t position,
                     struct held **held)
{
    *held = memory_new(recording->processes[process].counter_count, sizeof **held);
    struct replay replay;
    bool good = replay_init(&replay, recording, process) && hold(&replay, position, *held);
    replay_deinit(&replay);
    return good;
}

/* --- between two positions --- */

struct span_count {
    struct happened *happened;
    uint64_t first_block; /* the first one allocated in the span */
    bool restored;        /* a block from before came back: its free may lie before the span */
};

static void free_old(struct span_count *count, const struct history_pair *pair, bool restored)
{
    struct held *freed = &count->happened[pair->counter - 1].freed;
    freed->blocks += restored ? UINT64_MAX : 1;
    freed->bytes += restored ? -pair->size : pair->size;
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
    *(uint64_t *)context = reader->span.first_block + blocks_of(reader);
}

static void count_event(void *context, const struct history_event *event)
{
    if (event->kind == HISTORY_ALLOCATION)
        *(uint64_t *)context = event->block + 1;
}

/* The number of blocks allocated before a position. */
static bool blocks_before(struct replay *replay, uint64_t position, uint64_t *blocks)
{
    const struct replayer replayer = {count_chunk, count_event, blocks};
    *blocks = 0;
    if (position == 0)
        return true;
    /* The last chunk that begins before it, and one with an allocation in it before that. */
    uint64_t from = position;
    while (from > 0 && *blocks == 0) {
        from = from > HISTORY_EVENTS_MAX ? from - HISTORY_EVENTS_MAX : 0;
        if (!replay_run(replay, from, position, &replayer))
            return false;
    }
    return true;
}

static bool span(struct replay *replay, uint64_t from, uint64_t to, struct happened *happened)
{
    uint32_t counters = replay->process->counter_count;
    CLEANUP(cleanup_free) struct held *before = memory_new(counters, sizeof *before);
    CLEANUP(cleanup_free) struct held *after = memory_new(counters, sizeof *after);
    struct span_count count = {.happened = happened};
    const struct replayer replayer = {span_chunk, span_event, &count};
    if (!hold(replay, from, before) || !hold(replay, to, after) ||
        !blocks_before(replay, from, &count.first_block) ||
        !replay_run(replay, from, to, &replayer))
        return false;
    for (uint32_t i = 0; i < counters; i++) {
        struct happened *at = &happened[i];
        at->kept.blocks = after[i].blocks - before[i].blocks + at->freed.blocks;
        at->kept.bytes = after[i].bytes - before[i].bytes + at->freed.bytes;
        bool possible = at->kept.blocks <= at->allocations &&
                        at->kept.bytes <= at->allocated_bytes &&
                        at->freed.blocks <= before[i].blocks && at->freed.bytes <= before[i].bytes;
        if (!possible && !count.restored)
            return replay_damaged(replay);
    }
    return true;
}

bool history_between(struct recording *recording, size_t process, uint64_t from, uint64_t to,
                     struct happened **happened)
{
    *happened = memory_new(recording->processes[process].counter_count, sizeof **happened);
    struct replay replay;
    bool good = replay_init(&replay, recording, process) && span(&replay, from, to, *happened);
    replay_deinit(&replay);
    return good;
}

/* --- event by event --- */

bool history_walk_init(struct history_walk *walk, struct database *database, uint32_t process,
                       uint32_t counters, uint64_t first, uint64_t end)
{
    *walk =
        (struct history_walk){.process = process, .counters = counters, .first = first, .end = end};
    if (!rows_init(&walk->rows, database,
                   "SELECT " CHUNK_COLUMNS " FROM history_chunk WHERE process = ?1 "
                   "AND first_event > ?2 AND first_event + events > ?3 ORDER BY first_event"))
        return false;
    sqlite3_bind_int64(walk->rows.statement, 1, process);
    sqlite3_bind_int64(walk->rows.statement, 2, (int64_t)first - HISTORY_EVENTS_MAX);
    sqlite3_bind_int64(walk->rows.statement, 3, (int64_t)first);
    return history_reader_init(&walk->reader) ||
           database_damaged(database, "not enough memory for its history");
}

void history_walk_deinit(struct history_walk *walk)
{
    rows_deinit(&walk->rows);
    history_reader_deinit(&walk->reader);
}

static enum rows_step walk_damaged(struct history_walk *walk)
{
    database_damaged(walk->rows.database, "in the history, from event %" PRIu64 " on", walk->next);
    return ROWS_PROBLEM;
}

enum rows_step history_walk_chunk(struct history_walk *walk)
{
    struct history_span span;
    const void *summary;
    size_t size;
    enum rows_step step = walk->next < walk->end ? rows_next(&walk->rows) : ROWS_END;
    if (step != ROWS_ROW)
        return step;
    if (!read_span(&walk->rows, &span) || !rows_blob(&walk->rows, 5, &summary, &size))
        return ROWS_PROBLEM;
    if ((walk->next ? span.first_event != walk->next : span.first_event > walk->first) ||
        !history_reader_open(&walk->reader, &span, walk->counters, summary, size))
        return walk_damaged(walk);
    walk->next = span.first_event + span.events;
    return ROWS_ROW;
}

/* Has the chunk at hand something that is wanted? */
static bool is_wanted(const struct history_walk *walk)
{
    bool wanted = !walk->wanted;
    for (uint32_t i = 0; !wanted && i < walk->reader.pair_count; i++)
        wanted = walk->wanted[walk->reader.pairs[i].counter - 1];
    return wanted;
}

/* Opens the next chunk in which something is wanted. */
static enum rows_step open_next(struct history_walk *walk)
{
    const void *data;
    size_t size;
    enum rows_step step;
    do
        step = history_walk_chunk(walk);
    while (step == ROWS_ROW && !is_wanted(walk));
    if (step != ROWS_ROW)
        return step;
    walk->next = walk->reader.span.first_event;
    if (!rows_blob(&walk->rows, 6, &data, &size))
        return ROWS_PROBLEM;
    walk->open = history_reader_begin(&walk->reader, data, size);
    return walk->open ? ROWS_ROW : walk_damaged(walk);
}

enum rows_step history_walk_next(struct history_walk *walk, struct history_event *event)
{
    for (;;) {
        enum history_step step = HISTORY_END;
        while (walk->open && (step = history_next(&walk->reader, event)) == HISTORY_EVENT) {
            if (walk->next++ >= walk->end)
                return ROWS_END;
            if (!walk->wanted || walk->wanted[event->pair->counter - 1])
                return ROWS_ROW;
        }
        if (step == HISTORY_DAMAGED)
            return walk_damaged(walk);
        walk->open = false;
        enum rows_step row = open_next(walk);
        if (row != ROWS_ROW)
            return row;
    }
}

bool history_play(struct recording *recording, size_t process, struct held **held)
{
    const struct process *of = &recording->processes[process];
    *held = memory_new(of->counter_count, sizeof **held);
    if (!check_history(recording))
        return false;
    CLEANUP(history_walk_deinit) struct history_walk walk;
    if (!history_walk_init(&walk, &recording->database, of->id, of->counter_count, 0, of->events))
        return false;
    struct history_event event;
    enum rows_step step;
    while ((step = history_walk_next(&walk, &event)) == ROWS_ROW)
        hold_event(*held, &event);
    if (step == ROWS_END && walk.next < of->events)
        step = walk_damaged(&walk);
    return step == ROWS_END;
}

/* --- temporary allocations --- */

/* A block that a thread has allocated, and whether its free has been counted as a temporary one. */
struct recent {
    uint64_t block;
    bool counted;
};

/* A thread's allocations, a ring of them. */
struct latest {
    struct recent *ring;
    uint64_t count;
};

/* The ring holds some more than count as the latest: a free may be taken back a little later. */
#define RING_SPARE 16u

struct temporary_count {
    uint32_t n;
    uint32_t *thread_of;    /* by counter */
    struct latest *threads; /* by thread */
    uint32_t thread_count, counter_count;
    struct held *temporary;
};

static bool take_thread(void *context, uint32_t number, const struct counter_row *row)
{
    struct temporary_count *count = context;
    if (number >= count->counter_count || row->thread >= count->thread_count)
        return false;
    count->thread_of[number] = row->thread;
    return true;
}

/* The block among the thread's latest `reach` allocations; null when it is not. */
static struct recent *find_recent(const struct temporary_count *count, const struct latest *thread,
                                  uint32_t reach, uint64_t block)
{
    for (uint64_t back = 1; back <= reach && back <= thread->count; back++) {
        struct recent *recent = &thread->ring[(thread->count - back) % (count->n + RING_SPARE)];
        if (recent->block == block)
            return recent;
    }
    return NULL;
}

static void add_temporary(struct temporary_count *count, const struct history_pair *pair,
                          bool taken)
{
    struct held *temporary = &count->temporary[pair->counter - 1];
    temporary->blocks += taken ? UINT64_MAX : 1;
    temporary->bytes += taken ? -pair->size : pair->size;
}

static void count_temporary(struct temporary_count *count, const struct history_event *event)
{
    struct latest *thread = &count->threads[count->thread_of[event->pair->counter - 1]];
    uint32_t size = count->n + RING_SPARE;
    struct recent *recent;
    switch (event->kind) {
    case HISTORY_ALLOCATION:
        if (!thread->ring)
            thread->ring = memory_new(size, sizeof *thread->ring);
        thread->ring[thread->count++ % size] = (struct recent){.block = event->block};
        break;
    case HISTORY_FREE:
        recent = find_recent(count, thread, count->n, event->block);
        if (recent) {
            recent->counted = true;
            add_temporary(count, event->pair, false);
        }
        break;
    case HISTORY_RESTORE:
        recent = find_recent(count, thread, size, event->block);
        if (recent && recent->counted) {
            recent->counted = false;
            add_temporary(count, event->pair, true);
        }
        break;
    }
}

static bool count_all(struct recording *recording, const struct process *of,
                      struct temporary_count *count)
{
    CLEANUP(history_walk_deinit) struct history_walk walk;
    if (!history_walk_init(&walk, &recording->database, of->id, of->counter_count, 0, of->events))
        return false;
    struct history_event event;
    enum rows_step step;
    while ((step = history_walk_next(&walk, &event)) == ROWS_ROW)
        count_temporary(count, &event);
    return step == ROWS_END;
}

bool history_temporary(struct recording *recording, size_t process, uint32_t n,
                       struct held **temporary)
{
    const struct process *of = &recording->processes[process];
    *temporary = memory_new(of->counter_count, sizeof **temporary);
    if (!check_history(recording))
        return false;
    struct temporary_count count = {
        .n = n,
        .thread_of = memory_new(of->counter_count, sizeof *count.thread_of),
        .threads = memory_new(recording->symbols.thread_count, sizeof *count.threads),
        .thread_count = (uint32_t)recording->symbols.thread_count,
        .counter_count = of->counter_count,
        .temporary = *temporary,
    };
    bool good = counters_read(&recording->database, of->id, take_thread, &count) &&
                count_all(recording, of, &count);
    for (uint32_t i = 0; i < count.thread_count; i++)
        free(count.threads[i].ring);
    free(count.threads);
    free(count.thread_of);
    return good;
}
