/*
 * What is told of the run is held against what is told of the processes, as with the other peak.
 */
#include "viewer/recording/touched.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

#include "chunk.h"
#include "store.h"
#include "viewer/base/cleanup.h"
#include "viewer/base/memory.h"
#include "viewer/recording/table_rows.h"

static bool damaged(struct recording *recording)
{
    return database_damaged(&recording->database, "in what was touched");
}

/* Nothing that is touched was not asked for. */
static bool is_possible(const struct process *process, const struct store_touched *row)
{
    return row->peak_bytes <= process->sums.peak_bytes && row->peak_events <= process->events &&
           (row->peak_events != process->peak_events ||
            row->peak_blocks == process->sums.peak_blocks);
}

static bool take_touched(const void *row, void *context)
{
    const struct store_touched *stored = row;
    struct recording *recording = context;
    struct process *process = recording_process(recording, stored->process);
    if (!process || process->touched.is_known || !is_possible(process, stored))
        return damaged(recording);
    process->touched = (struct touched){.is_known = true,
                                        .is_hidden = stored->hidden,
                                        .bytes = stored->peak_bytes,
                                        .blocks = stored->peak_blocks,
                                        .events = stored->peak_events,
                                        .time = stored->peak_time,
                                        .error = stored->error_bytes,
                                        .largest_untouched = stored->largest_bytes,
                                        .largest_location = stored->largest_location};
    return true;
}

static bool take_run(const void *row, void *context)
{
    const struct store_run_touched *stored = row;
    struct recording *recording = context;
    recording->touched = (struct run_peak){true, stored->bytes, stored->blocks, stored->time};
    return stored->time >= 0 || damaged(recording);
}

static bool take_position(const void *row, void *context)
{
    const struct store_run_touched_process *stored = row;
    struct recording *recording = context;
    struct process *process = recording_process(recording, stored->process);
    if (!process || process->at_run_touched.lived || stored->events > process->events ||
        stored->bytes > process->touched.bytes)
        return damaged(recording);
    process->at_run_touched =
        (struct peak_position){true, stored->events, stored->bytes, stored->blocks};
    return true;
}

/* The parts add up to the whole, which is at least each process's own. */
static bool check_run(struct recording *recording)
{
    struct run_peak *touched = &recording->touched;
    uint64_t bytes = 0, blocks = 0, most = 0;
    for (size_t i = 0; i < recording->process_count; i++) {
        const struct process *process = &recording->processes[i];
        if (__builtin_add_overflow(bytes, process->at_run_touched.bytes, &bytes) ||
            __builtin_add_overflow(blocks, process->at_run_touched.blocks, &blocks))
            return damaged(recording);
        most = process->touched.bytes > most ? process->touched.bytes : most;
    }
    if (touched->is_known && (bytes != touched->bytes || blocks != touched->blocks))
        return damaged(recording);
    touched->is_known &= touched->bytes >= most;
    return true;
}

bool touched_load(struct recording *recording)
{
    struct database *database = &recording->database;
    if (database->format < STORE_FORMAT_TOUCHED)
        return true;
    return table_rows_each(database, STORE_TABLE_TOUCHED, NULL, "ORDER BY process", take_touched,
                           recording) &&
           table_rows_each(database, STORE_TABLE_RUN_TOUCHED, NULL, "LIMIT 1", take_run,
                           recording) &&
           table_rows_each(database, STORE_TABLE_RUN_TOUCHED_PROCESS, NULL, "ORDER BY process",
                           take_position, recording) &&
           check_run(recording);
}

bool touched_is_peak(const struct process *process)
{
    return process->touched.bytes == process->sums.peak_bytes &&
           process->touched.events == process->peak_events;
}

/* --- by counter --- */

struct reading {
    struct recording *recording;
    const struct process *process;
    struct held *held;
};

static bool take_chunk(const void *row, void *context)
{
    const struct store_touched_chunk *chunk = row;
    const struct reading *reading = context;
    CLEANUP(chunk_reader_deinit) struct chunk_reader reader;
    if (!chunk_reader_init(&reader) ||
        !chunk_reader_open(&reader, chunk->data.data, chunk->data.bytes))
        return damaged(reading->recording);
    for (uint32_t i = 0; i < chunk->count; i++) {
        struct live_row live;
        if (!chunk_next_live(&reader, &live) || live.counter > reading->process->counter_count)
            return damaged(reading->recording);
        reading->held[live.counter - 1] = (struct held){live.bytes, live.blocks};
    }
    return chunk_reader_at_end(&reader) || damaged(reading->recording);
}

bool touched_read(struct recording *recording, size_t process, struct held **held)
{
    const struct process *of = &recording->processes[process];
    *held = memory_new(of->counter_count, sizeof **held);
    struct reading reading = {recording, of, *held};
    CLEANUP(cleanup_free)
    char *rest = memory_print("WHERE process = %" PRIu32 " ORDER BY first", of->id);
    return table_rows_each(&recording->database, STORE_TABLE_TOUCHED_CHUNK, NULL, rest, take_chunk,
                           &reading);
}

static bool take_untouched(const void *row, void *context)
{
    const struct store_untouched *untouched = row;
    const struct reading *reading = context;
    struct held *held = NULL;
    if (untouched->counter > 0 && untouched->counter <= reading->process->counter_count)
        held = &reading->held[untouched->counter - 1];
    if (!held || held->bytes < untouched->bytes)
        return damaged(reading->recording);
    held->bytes -= untouched->bytes;
    return true;
}

bool touched_take_away(struct recording *recording, size_t process, struct held *held)
{
    const struct process *of = &recording->processes[process];
    struct reading reading = {recording, of, held};
    CLEANUP(cleanup_free)
    char *rest = memory_print("WHERE process = %" PRIu32 " ORDER BY counter", of->id);
    return table_rows_each(&recording->database, STORE_TABLE_UNTOUCHED, NULL, rest, take_untouched,
                           &reading);
}
