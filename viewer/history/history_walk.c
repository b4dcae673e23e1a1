/*
 * Walking. A chunk is checked against the one before: its events and blocks must go on where that
 * one's ended.
 */
#include "viewer/history/history_walk.h"

#include <inttypes.h>

#define CHUNK_COLUMNS                                                                              \
    "first_event, events, first_block, started_us, ended_us, summary, data, lifetimes"

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

void history_walk_tell(struct history_walk *walk)
{
    uint64_t events = walk->end > walk->first ? walk->end - walk->first : 0;
    walk->counts = walk->is_part = true;
    progress_begin(walk->rows.database->progress, "reading the history", events);
}

void history_walk_deinit(struct history_walk *walk)
{
    if (walk->is_part)
        progress_end(walk->rows.database->progress);
    walk->is_part = false;
    if (walk->rows.database)
        walk->rows.database->skipped += walk->reader.skipped;
    rows_deinit(&walk->rows);
    history_reader_deinit(&walk->reader);
}

bool history_walk_damaged(struct history_walk *walk)
{
    return database_damaged(walk->rows.database, "in the history, from event %" PRIu64 " on",
                            walk->next);
}

static enum rows_step walk_damaged(struct history_walk *walk)
{
    history_walk_damaged(walk);
    return ROWS_PROBLEM;
}

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

static uint64_t blocks_of(const struct history_reader *reader)
{
    uint64_t blocks = 0;
    for (uint32_t i = 0; i < reader->pair_count; i++)
        blocks += reader->pairs[i].allocations;
    return blocks;
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
    bool follows = walk->next
                       ? span.first_event == walk->next && span.first_block == walk->next_block
                       : span.first_event <= walk->first;
    if (!follows || !history_reader_open(&walk->reader, &span, walk->counters, summary, size))
        return walk_damaged(walk);
    walk->next = span.first_event + span.events;
    walk->next_block = span.first_block + blocks_of(&walk->reader);
    if (walk->counts)
        progress_step(walk->rows.database->progress, span.events);
    return ROWS_ROW;
}

enum rows_step history_walk_lifetimes(struct history_walk *walk, struct lifetimes *by_counter)
{
    const void *data;
    size_t size;
    enum rows_step step = history_walk_chunk(walk);
    if (step != ROWS_ROW)
        return step;
    if (!rows_blob(&walk->rows, 7, &data, &size))
        return ROWS_PROBLEM;
    return history_read_lifetimes(&walk->reader, data, size, by_counter) ? ROWS_ROW
                                                                         : walk_damaged(walk);
}

/* Has the chunk at hand something that is wanted? */
static bool is_wanted(const struct history_walk *walk)
{
    bool wanted = !walk->wanted;
    for (uint32_t i = 0; !wanted && i < walk->reader.pair_count; i++)
        wanted = walk->wanted[walk->reader.pairs[i].counter - 1];
    return wanted;
}

bool history_walk_open(struct history_walk *walk)
{
    const void *data;
    size_t size;
    return rows_blob(&walk->rows, 6, &data, &size) &&
           (history_reader_begin(&walk->reader, data, size) || history_walk_damaged(walk));
}

/* Opens the next chunk in which something is wanted. */
static enum rows_step open_next(struct history_walk *walk)
{
    enum rows_step step;
    do
        step = history_walk_chunk(walk);
    while (step == ROWS_ROW && !is_wanted(walk));
    if (step != ROWS_ROW)
        return step;
    walk->next = walk->reader.span.first_event;
    walk->open = history_walk_open(walk);
    return walk->open ? ROWS_ROW : ROWS_PROBLEM;
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
