/*
 * Adding up slices. They are few and hold changes alone, so a moment is the sum of all before it.
 */
#include "viewer/history/slices.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

#include "viewer/base/cleanup.h"
#include "viewer/base/memory.h"
#include "viewer/recording/inheritance.h"

static bool slices_damaged(struct recording *recording, const struct process *process)
{
    return database_damaged(&recording->database, "in the slices of process %" PRId64,
                            process->pid);
}

/* Up to which event, or time, a slice may end. */
static bool limit_of(struct recording *recording, const struct process *process,
                     const struct moment *moment, uint64_t *event, double *seconds)
{
    *event = process->events;
    *seconds = INFINITY;
    if (moment_events(moment, process, event))
        return true;
    return moment_seconds(moment, recording, seconds);
}

/* The end of the last slice up to an event and a time. */
static bool slice_find(struct recording *recording, const struct process *of, uint64_t event,
                       double seconds, struct position *end)
{
    CLEANUP(rows_deinit) struct rows rows;
    if (!rows_init(&rows, &recording->database,
                   "SELECT event, time FROM slice_chunk WHERE process = ?1 AND event <= ?2 "
                   "AND time <= ?3 ORDER BY event DESC LIMIT 1"))
        return false;
    sqlite3_bind_int64(rows.statement, 1, of->id);
    sqlite3_bind_int64(rows.statement, 2, (int64_t)event);
    sqlite3_bind_double(rows.statement, 3, seconds);
    *end = (struct position){.events = 0, .time = of->started};
    enum rows_step step = rows_next(&rows);
    return step == ROWS_END || (step == ROWS_ROW && rows_count(&rows, 0, &end->events) &&
                                rows_seconds(&rows, 1, &end->time));
}

bool slices_position(struct recording *recording, size_t process, const struct moment *moment,
                     struct position *end)
{
    const struct process *of = &recording->processes[process];
    double seconds;
    uint64_t event;
    return limit_of(recording, of, moment, &event, &seconds) &&
           slice_find(recording, of, event, seconds, end);
}

bool slices_position_after(struct recording *recording, size_t process, uint64_t events,
                           struct position *end)
{
    return slice_find(recording, &recording->processes[process], events, INFINITY, end);
}

/* Visits the rows of one part. */
static bool visit_part(struct rows *rows, struct chunk_reader *reader, uint32_t counters,
                       slices_visitor *visitor, void *context)
{
    int64_t count;
    double time;
    const void *data;
    size_t size;
    if (!rows_seconds(rows, 0, &time) || !rows_whole(rows, 1, 0, CHUNK_ROWS, &count) ||
        !rows_blob(rows, 2, &data, &size) || !chunk_reader_open(reader, data, size))
        return false;
    for (int64_t i = 0; i < count; i++) {
        struct change_row row;
        if (!chunk_next_change(reader, &row) || row.counter > counters)
            return false;
        visitor(context, time, &row);
    }
    return chunk_reader_at_end(reader);
}

bool slices_visit(struct recording *recording, size_t process, uint64_t from, uint64_t to,
                  slices_visitor *visitor, void *context)
{
    const struct process *of = &recording->processes[process];
    CLEANUP(rows_deinit) struct rows rows;
    CLEANUP(chunk_reader_deinit) struct chunk_reader reader;
    if (!chunk_reader_init(&reader))
        return database_damaged(&recording->database, "not enough memory for its slices");
    if (!rows_init(&rows, &recording->database,
                   "SELECT time, count, data FROM slice_chunk WHERE process = ?1 AND event > ?2 "
                   "AND event <= ?3 ORDER BY event, first"))
        return false;
    sqlite3_bind_int64(rows.statement, 1, of->id);
    sqlite3_bind_int64(rows.statement, 2, (int64_t)from);
    sqlite3_bind_int64(rows.statement, 3, (int64_t)to);
    enum rows_step step;
    while ((step = rows_next(&rows)) == ROWS_ROW)
        if (!visit_part(&rows, &reader, of->counter_count, visitor, context))
            return slices_damaged(recording, of);
    return step == ROWS_END;
}

/* Adds one change, modulo 2^64; whether the sums make sense is seen at the end. In `kept` it is the
 * difference, also where it is negative. */
static void add_change(void *context, double time, const struct change_row *row)
{
    (void)time;
    struct happened *at = (struct happened *)context + (row->counter - 1);
    at->allocations += row->allocations;
    at->allocated_bytes += row->allocated_bytes;
    held_add(&at->kept, (struct held){(uint64_t)row->bytes, (uint64_t)row->blocks});
}

bool slices_held_at(struct recording *recording, size_t process, uint64_t event, struct held **held)
{
    const struct process *of = &recording->processes[process];
    *held = memory_new(of->counter_count, sizeof **held);
    CLEANUP(cleanup_free)
    struct happened *happened = memory_new(of->counter_count, sizeof *happened);
    if (!slices_visit(recording, process, 0, event, add_change, happened))
        return false;
    for (uint32_t i = 0; i < of->counter_count; i++)
        (*held)[i] = happened[i].kept;
    inheritance_add(of, *held);
    for (uint32_t i = 0; i < of->counter_count; i++)
        if (!inheritance_allows(of, &(*held)[i]))
            return slices_damaged(recording, of);
    return true;
}

/* What is negative was lost. */
static void part_signs(uint64_t *kept, uint64_t *freed)
{
    if (*kept <= INT64_MAX)
        return;
    *freed = -*kept;
    *kept = 0;
}

bool slices_between(struct recording *recording, size_t process, uint64_t from, uint64_t to,
                    struct happened **happened)
{
    uint32_t counters = recording->processes[process].counter_count;
    *happened = memory_new(counters, sizeof **happened);
    if (!slices_visit(recording, process, from, to, add_change, *happened))
        return false;
    const struct held *inherited = recording->processes[process].inherited.held;
    for (uint32_t i = 0; i < counters; i++) {
        struct happened *at = &(*happened)[i];
        if (inherited && from == 0 && to > 0) { /* it comes with the first event */
            held_add(&at->kept, inherited[i]);
        }
        part_signs(&at->kept.blocks, &at->freed.blocks);
        part_signs(&at->kept.bytes, &at->freed.bytes);
    }
    return true;
}
