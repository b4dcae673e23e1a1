/*
 * An eponymous virtual table over history_walk.
 *
 * A scan goes through the processes in order. For each it loads what its counters stand for, and,
 * when lifetimes are asked for, the times at which its blocks were allocated: the marks of all
 * chunks, which are few. What a forked process was forked with comes before its own events, as rows
 * with a sequence below zero. The planner's choice is handed from best_index() to events_filter()
 * as a string: two characters for each bound, its column and its comparison.
 */
#include "viewer/sql/events_table.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "viewer/base/cleanup.h"
#include "viewer/base/memory.h"
#include "viewer/base/order.h"
#include "viewer/history/block_times.h"
#include "viewer/history/history_walk.h"
#include "viewer/history/inherited_blocks.h"
#include "viewer/question/grouping.h"
#include "viewer/recording/counters.h"
#include "viewer/sql/virtual_table.h"

enum column {
    COLUMN_SEQUENCE,
    COLUMN_TIME,
    COLUMN_PROCESS,
    COLUMN_THREAD,
    COLUMN_KIND,
    COLUMN_BLOCK,
    COLUMN_SIZE,
    COLUMN_ALLOCATOR,
    COLUMN_STACK,
    COLUMN_LIFETIME,
};

/* The kind of a block that was there when the process was forked. */
#define KIND_INHERITED "inherited"

static const char declaration[] =
    "CREATE TABLE events (sequence INTEGER, time REAL, process INTEGER, thread INTEGER, "
    "kind TEXT, block INTEGER, size INTEGER, allocator TEXT, stack INTEGER, lifetime REAL)";

static const char row_count[] = "SELECT sum(events) FROM process";

/* What a counter's number stands for. */
struct meaning {
    struct block_kind kind;
    bool inherited; /* from the process's parent: its thread is another process's */
};

/* A process that is scanned. */
struct source {
    uint32_t id, counters;
    uint64_t events;
    double started;
};

struct bounds {
    int64_t first, last; /* sequence */
    double from, to;     /* time */
    int64_t process;     /* -1: any */
    int64_t stack;       /* -1: any */
    bool no_inherited;   /* of what forked processes were forked with nothing is asked for */
};

struct cursor {
    sqlite3_vtab_cursor base;
    struct database database; /* borrows the connection */
    struct bounds bounds;
    bool needs_lifetime;
    struct source *sources;
    size_t source_count, source;
    struct history_walk walk;
    bool walking;
    struct history_event event;
    struct inherited_blocks played;
    struct inherited_block *inherited; /* of the process at hand */
    size_t inherited_count, inherited_next;
    bool is_inherited; /* the row is the one before inherited_next, and not the event */
    int64_t row;
    bool at_end;
    struct meaning *meanings;
    uint32_t *threads; /* of the process, by thread.id in order */
    size_t thread_count;
    bool *wanted;
    struct block_times times;
    bool is_scanning; /* a part of the database's progress has begun */
};

/* --- the process at hand --- */

static void end_source(struct cursor *cursor)
{
    if (cursor->walking)
        history_walk_deinit(&cursor->walk);
    cursor->walking = false;
    free(cursor->meanings);
    free(cursor->threads);
    free(cursor->wanted);
    free(cursor->inherited);
    cursor->inherited = NULL;
    cursor->inherited_count = cursor->inherited_next = 0;
    block_times_deinit(&cursor->times);
    cursor->meanings = NULL;
    cursor->threads = NULL;
    cursor->thread_count = 0;
    cursor->wanted = NULL;
}

static int compare_threads(const void *a, const void *b)
{
    uint32_t one = *(const uint32_t *)a, other = *(const uint32_t *)b;
    return ORDER(one, other);
}

static bool take_meaning(void *context, uint32_t number, const struct counter_row *row)
{
    struct cursor *cursor = context;
    if (number >= cursor->sources[cursor->source].counters)
        return false;
    bool own = bsearch(&row->thread, cursor->threads, cursor->thread_count, sizeof *cursor->threads,
                       compare_threads);
    cursor->meanings[number] = (struct meaning){{row->node, row->thread, row->allocator}, !own};
    if (cursor->wanted)
        cursor->wanted[number] = row->node == cursor->bounds.stack;
    return true;
}

/* Which threads are the process's. */
static bool load_threads(struct cursor *cursor, const struct source *source)
{
    CLEANUP(rows_deinit) struct rows rows;
    if (!rows_init(&rows, &cursor->database,
                   "SELECT id FROM thread WHERE process = ?1 ORDER BY id"))
        return false;
    sqlite3_bind_int64(rows.statement, 1, source->id);
    enum rows_step step;
    while ((step = rows_next(&rows)) == ROWS_ROW) {
        cursor->threads =
            memory_room(cursor->threads, cursor->thread_count, sizeof *cursor->threads);
        if (!rows_index(&rows, 0, &cursor->threads[cursor->thread_count++]))
            return false;
    }
    return step == ROWS_END;
}

static bool load_meanings(struct cursor *cursor, const struct source *source)
{
    if (!load_threads(cursor, source))
        return false;
    cursor->meanings = memory_new(source->counters, sizeof *cursor->meanings);
    if (cursor->bounds.stack >= 0)
        cursor->wanted = memory_new(source->counters, sizeof *cursor->wanted);
    return counters_read(&cursor->database, source->id, take_meaning, cursor);
}

/* One number from the chunks of a process; `otherwise` when there is none. */
static bool cursor_ask(struct cursor *cursor, const char *query, uint32_t process, int64_t limit,
                       uint64_t otherwise, uint64_t *number)
{
    CLEANUP(rows_deinit) struct rows rows;
    if (!rows_init(&rows, &cursor->database, query))
        return false;
    sqlite3_bind_int64(rows.statement, 1, process);
    sqlite3_bind_int64(rows.statement, 2, limit);
    *number = otherwise;
    enum rows_step step = rows_next(&rows);
    return step == ROWS_END || (step == ROWS_ROW && rows_count(&rows, 0, number));
}

static int64_t whole_microseconds(double seconds)
{
    return seconds < 0 ? -1 : seconds > 1e12 ? INT64_MAX : (int64_t)(seconds * 1e6);
}

/* The span of events that the bounds leave, in whole chunks where times are meant. */
static bool find_span(struct cursor *cursor, const struct source *source, uint64_t *first,
                      uint64_t *end)
{
    const struct bounds *bounds = &cursor->bounds;
    uint64_t from = 0, to = source->events;
    /* A microsecond more on either side: times are rounded down. */
    if (bounds->from > 0 &&
        !cursor_ask(cursor,
                    "SELECT first_event FROM history_chunk WHERE process = ?1 AND started_us < ?2 "
                    "ORDER BY started_us DESC, first_event DESC LIMIT 1",
                    source->id, whole_microseconds(bounds->from) - 1, 0, &from))
        return false;
    if (bounds->to < INFINITY &&
        !cursor_ask(cursor,
                    "SELECT first_event FROM history_chunk WHERE process = ?1 AND started_us > ?2 "
                    "ORDER BY started_us, first_event LIMIT 1",
                    source->id, whole_microseconds(bounds->to) + 1, source->events, &to))
        return false;
    *first = bounds->first > 0 && (uint64_t)bounds->first > from ? (uint64_t)bounds->first : from;
    *end = bounds->last < 0                          ? 0
           : (uint64_t)bounds->last < source->events ? (uint64_t)bounds->last + 1
                                                     : source->events;
    if (*end > to)
        *end = to;
    return true;
}

/* Blocks that come with sequences below zero, unless none of those is asked for. */
static bool load_inherited(struct cursor *cursor, const struct source *source)
{
    const struct bounds *bounds = &cursor->bounds;
    return bounds->no_inherited || bounds->first >= 0 ||
           inherited_blocks_find(&cursor->played, &cursor->database, source->id, &cursor->inherited,
                                 &cursor->inherited_count);
}

static bool begin_source(struct cursor *cursor)
{
    const struct source *source = &cursor->sources[cursor->source];
    uint64_t first, end;
    if (!load_inherited(cursor, source))
        return false;
    if (!load_meanings(cursor, source) || !find_span(cursor, source, &first, &end) ||
        (cursor->needs_lifetime &&
         !block_times_init(&cursor->times, &cursor->database, source->id, source->counters, end)))
        return false;
    cursor->walking = true;
    bool good = history_walk_init(&cursor->walk, &cursor->database, source->id, source->counters,
                                  first, end);
    cursor->walk.wanted = cursor->wanted;
    if (good)
        history_walk_tell(&cursor->walk);
    return good;
}

/* --- scanning --- */

static int cursor_fail(const struct cursor *cursor)
{
    return virtual_table_fail(cursor->base.pVtab, &cursor->database);
}

static void begin_scan(struct cursor *cursor)
{
    cursor->is_scanning = true;
    progress_begin(cursor->database.progress, "reading the events", cursor->source_count);
}

static void end_scan(struct cursor *cursor)
{
    end_source(cursor);
    if (cursor->is_scanning)
        progress_end(cursor->database.progress);
    cursor->is_scanning = false;
}

static int events_next(sqlite3_vtab_cursor *base)
{
    struct cursor *cursor = (struct cursor *)base;
    for (; cursor->source < cursor->source_count; cursor->source++) {
        if (!cursor->walking && !begin_source(cursor))
            return cursor_fail(cursor);
        cursor->is_inherited = cursor->inherited_next < cursor->inherited_count;
        if (cursor->is_inherited) {
            cursor->inherited_next++;
            cursor->row++;
            return SQLITE_OK;
        }
        switch (history_walk_next(&cursor->walk, &cursor->event)) {
        case ROWS_ROW:
            cursor->row++;
            return SQLITE_OK;
        case ROWS_PROBLEM:
            return cursor_fail(cursor);
        case ROWS_END:
            end_source(cursor);
        }
    }
    end_scan(cursor);
    cursor->at_end = true;
    return SQLITE_OK;
}

static bool load_sources(struct cursor *cursor)
{
    CLEANUP(rows_deinit) struct rows rows;
    if (!rows_init(&rows, &cursor->database,
                   "SELECT id, events, (SELECT coalesce(max(first + count), 0) FROM counter_chunk "
                   "WHERE process = id), started FROM process WHERE ?1 < 0 OR id = ?1 ORDER BY id"))
        return false;
    sqlite3_bind_int64(rows.statement, 1, cursor->bounds.process);
    enum rows_step step;
    while ((step = rows_next(&rows)) == ROWS_ROW) {
        cursor->sources =
            memory_room(cursor->sources, cursor->source_count, sizeof *cursor->sources);
        struct source *source = &cursor->sources[cursor->source_count++];
        if (!rows_index(&rows, 0, &source->id) || !rows_count(&rows, 1, &source->events) ||
            !rows_index(&rows, 2, &source->counters) || !rows_seconds(&rows, 3, &source->started))
            return false;
    }
    return step == ROWS_END;
}

/* --- bounds --- */

/* Comparisons, as best_index() names them to events_filter(). */
#define IS_EQUAL    '='
#define IS_AT_LEAST '>'
#define IS_AT_MOST  '<'
#define IS_NOT      '!'

static char comparison_of(unsigned char operator)
{
    switch (operator) {
    case SQLITE_INDEX_CONSTRAINT_EQ:
        return IS_EQUAL;
    case SQLITE_INDEX_CONSTRAINT_GE:
    case SQLITE_INDEX_CONSTRAINT_GT:
        return IS_AT_LEAST;
    case SQLITE_INDEX_CONSTRAINT_LE:
    case SQLITE_INDEX_CONSTRAINT_LT:
        return IS_AT_MOST;
    case SQLITE_INDEX_CONSTRAINT_NE:
        return IS_NOT;
    default:
        return 0;
    }
}

static bool is_useful(int column, char comparison)
{
    if (column == COLUMN_KIND)
        return comparison == IS_EQUAL || comparison == IS_NOT;
    if (column == COLUMN_SEQUENCE || column == COLUMN_TIME)
        return comparison && comparison != IS_NOT;
    return comparison == IS_EQUAL && (column == COLUMN_PROCESS || column == COLUMN_STACK);
}

/* To begin one costs about as much as so many events: the counters of each process are read. */
#define SCAN_COST 1000

/* What a scan has to do: events that are gone through, and of those the ones that it gives. */
struct effort {
    double read, rows;
};

/* Whole chunks are left out by process, sequence and time alone; for a stack they are looked into.
 */
static void effort_lessen(struct effort *effort, int column, char comparison)
{
    double less = comparison == IS_EQUAL ? 100 : comparison == IS_NOT ? 1 : 3;
    if (column == COLUMN_PROCESS)
        less = 4;
    else if (column == COLUMN_KIND)
        less = comparison == IS_NOT ? 1 : 2;
    effort->rows /= less;
    if (column == COLUMN_PROCESS || column == COLUMN_SEQUENCE || column == COLUMN_TIME)
        effort->read /= less;
}

static int best_index(sqlite3_vtab *base, sqlite3_index_info *info)
{
    double all = ((const struct virtual_table *)base)->rows;
    char *plan = sqlite3_malloc(2 * info->nConstraint + 1), *out = plan;
    if (!plan)
        return SQLITE_NOMEM;
    struct effort effort = {all, all};
    int arguments = 0;
    for (int i = 0; i < info->nConstraint; i++) {
        const struct sqlite3_index_constraint *constraint = &info->aConstraint[i];
        char comparison = comparison_of(constraint->op);
        if (!constraint->usable || !is_useful(constraint->iColumn, comparison))
            continue;
        *out++ = (char)('a' + constraint->iColumn);
        *out++ = comparison;
        info->aConstraintUsage[i].argvIndex = ++arguments;
        effort_lessen(&effort, constraint->iColumn, comparison);
    }
    *out = 0;
    info->idxStr = plan;
    info->needToFreeIdxStr = 1;
    info->idxNum = (info->colUsed >> COLUMN_LIFETIME & 1) != 0;
    info->estimatedCost = effort.read + SCAN_COST;
    info->estimatedRows = effort.rows > 1 ? (sqlite3_int64)effort.rows : 1;
    return SQLITE_OK;
}

/* Inherited blocks take playing: they are left out where they are not asked for. */
static void narrow_kind(struct bounds *bounds, char comparison, sqlite3_value *value)
{
    if (sqlite3_value_type(value) != SQLITE_TEXT)
        return;
    bool is_inherited = strcmp((const char *)sqlite3_value_text(value), KIND_INHERITED) == 0;
    bounds->no_inherited |= is_inherited == (comparison == IS_NOT);
}

/* Narrows the bounds; SQLite itself checks every row once more, so they need not be tight. */
static void bounds_narrow(struct bounds *bounds, int column, char comparison, sqlite3_value *value)
{
    if (column == COLUMN_KIND) {
        narrow_kind(bounds, comparison, value);
        return;
    }
    int type = sqlite3_value_numeric_type(value);
    double number = sqlite3_value_double(value);
    if (type != SQLITE_INTEGER && type != SQLITE_FLOAT)
        return; /* compares with no number as one would think */
    int64_t whole = number < -1e18 ? INT64_MIN : number > 1e18 ? INT64_MAX : (int64_t)number;
    switch (column) {
    case COLUMN_SEQUENCE:
        if (comparison != IS_AT_MOST && whole > bounds->first)
            bounds->first = whole;
        if (comparison != IS_AT_LEAST && whole < bounds->last)
            bounds->last = whole;
        break;
    case COLUMN_TIME:
        if (comparison != IS_AT_MOST)
            bounds->from = fmax(bounds->from, number);
        if (comparison != IS_AT_LEAST)
            bounds->to = fmin(bounds->to, number);
        break;
    case COLUMN_PROCESS:
        bounds->process = whole < 0 ? UINT32_MAX : whole;
        break;
    default:
        bounds->stack = whole < 0 ? UINT32_MAX : whole;
    }
}

static void cursor_reset(struct cursor *cursor)
{
    end_scan(cursor);
    free(cursor->sources);
    cursor->sources = NULL;
    cursor->source_count = cursor->source = 0;
    inherited_blocks_deinit(&cursor->played);
    cursor->row = -1;
    cursor->at_end = false;
    cursor->bounds = (struct bounds){.first = INT64_MIN,
                                     .last = INT64_MAX,
                                     .from = -INFINITY,
                                     .to = INFINITY,
                                     .process = -1,
                                     .stack = -1};
}

static int events_filter(sqlite3_vtab_cursor *base, int number, const char *plan, int count,
                         sqlite3_value **values)
{
    struct cursor *cursor = (struct cursor *)base;
    cursor_reset(cursor);
    cursor->needs_lifetime = number;
    for (int i = 0; i < count; i++)
        bounds_narrow(&cursor->bounds, plan[2 * i] - 'a', plan[2 * i + 1], values[i]);
    if (!load_sources(cursor))
        return cursor_fail(cursor);
    begin_scan(cursor);
    return events_next(base);
}

/* --- columns --- */

static void put_lifetime(const struct cursor *cursor, sqlite3_context *context)
{
    const struct history_event *event = &cursor->event;
    uint64_t born_us =
        event->kind == HISTORY_FREE ? block_times_find(&cursor->times, event->block) : UINT64_MAX;
    if (born_us != UINT64_MAX)
        sqlite3_result_double(context, (double)event->time_us / 1e6 - (double)born_us / 1e6);
}

static const char *kind_of(const struct history_event *event, const struct meaning *meaning)
{
    static const char *const kinds[] = {
        [HISTORY_ALLOCATION] = "allocation",
        [HISTORY_FREE] = "free",
        [HISTORY_RESTORE] = "restore",
    };
    bool is_allocation = event->kind == HISTORY_ALLOCATION;
    return is_allocation && meaning->inherited ? KIND_INHERITED : kinds[event->kind];
}

/* What stands in the row at hand: an event, or a block that was there when the process was forked.
 */
struct event_row {
    int64_t sequence, block, size;
    double time;
    const char *kind;
    const struct block_kind *of;
};

static struct event_row inherited_row(const struct cursor *cursor)
{
    const struct inherited_block *block = &cursor->inherited[cursor->inherited_next - 1];
    return (struct event_row){
        .sequence = (int64_t)(cursor->inherited_next - 1) - (int64_t)cursor->inherited_count,
        .block = (int64_t)block->number,
        .size = (int64_t)block->size,
        .time = cursor->sources[cursor->source].started,
        .kind = KIND_INHERITED,
        .of = &block->kind,
    };
}

static struct event_row event_row(const struct cursor *cursor)
{
    const struct history_event *event = &cursor->event;
    const struct meaning *meaning = &cursor->meanings[event->pair->counter - 1];
    return (struct event_row){
        .sequence = (int64_t)cursor->walk.next - 1,
        .block = (int64_t)event->block,
        .size = (int64_t)event->pair->size,
        .time = (double)event->time_us / 1e6,
        .kind = kind_of(event, meaning),
        .of = &meaning->kind,
    };
}

static int events_column(sqlite3_vtab_cursor *base, sqlite3_context *context, int number)
{
    const struct cursor *cursor = (const struct cursor *)base;
    struct event_row row = cursor->is_inherited ? inherited_row(cursor) : event_row(cursor);
    switch (number) {
    case COLUMN_SEQUENCE:
        sqlite3_result_int64(context, row.sequence);
        break;
    case COLUMN_TIME:
        sqlite3_result_double(context, row.time);
        break;
    case COLUMN_PROCESS:
        sqlite3_result_int64(context, cursor->sources[cursor->source].id);
        break;
    case COLUMN_THREAD:
        sqlite3_result_int64(context, row.of->thread);
        break;
    case COLUMN_KIND:
        sqlite3_result_text(context, row.kind, -1, SQLITE_STATIC);
        break;
    case COLUMN_BLOCK:
        sqlite3_result_int64(context, row.block);
        break;
    case COLUMN_SIZE:
        sqlite3_result_int64(context, row.size);
        break;
    case COLUMN_ALLOCATOR:
        sqlite3_result_text(context, allocator_names[row.of->allocator], -1, SQLITE_STATIC);
        break;
    case COLUMN_STACK:
        sqlite3_result_int64(context, row.of->node);
        break;
    case COLUMN_LIFETIME:
        if (!cursor->is_inherited)
            put_lifetime(cursor, context);
        break;
    }
    return SQLITE_OK;
}

/* --- the rest of the interface --- */

static int open_cursor(sqlite3_vtab *base, sqlite3_vtab_cursor **result)
{
    struct cursor *cursor = sqlite3_malloc(sizeof *cursor);
    if (!cursor)
        return SQLITE_NOMEM;
    *cursor = (struct cursor){.database = virtual_table_database(base)};
    *result = &cursor->base;
    return SQLITE_OK;
}

static int close_cursor(sqlite3_vtab_cursor *base)
{
    cursor_reset((struct cursor *)base);
    sqlite3_free(base);
    return SQLITE_OK;
}

static int is_at_end(sqlite3_vtab_cursor *base)
{
    return ((struct cursor *)base)->at_end;
}

static int row_number(sqlite3_vtab_cursor *base, sqlite3_int64 *number)
{
    *number = ((struct cursor *)base)->row;
    return SQLITE_OK;
}

int events_table_register(sqlite3 *connection, struct progress *progress)
{
    static const sqlite3_module module = {
        VIRTUAL_TABLE_MODULE,   .xBestIndex = best_index, .xOpen = open_cursor,
        .xClose = close_cursor, .xFilter = events_filter, .xNext = events_next,
        .xEof = is_at_end,      .xColumn = events_column, .xRowid = row_number,
    };
    return virtual_table_register(connection, "events", &module,
                                  (struct virtual_table_kind){declaration, row_count, progress});
}
