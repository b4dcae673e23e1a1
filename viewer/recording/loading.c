/*
 * Loads a recording.
 *
 * The order is that of the references: run, processes, then names and stacks (symbols.c, stacks.c).
 * Rows come in the order of their ids and must be in it, strictly: a damaged tree of pages that
 * leads to the same rows again and again is noticed at the first one. Sums over all processes must
 * fit into what JSON can say, so that no later addition can overflow.
 */
#include "viewer/recording/loading.h"

#include <math.h>
#include <stdlib.h>

#include "chunk.h"
#include "viewer/base/cleanup.h"
#include "viewer/base/memory.h"
#include "viewer/recording/absences.h"
#include "viewer/recording/database_file.h"
#include "viewer/recording/endings.h"
#include "viewer/recording/inheritance.h"

static bool command_is_words(const json_t *command)
{
    if (!json_is_array(command))
        return false;
    for (size_t i = 0; i < json_array_size(command); i++)
        if (!json_is_string(json_array_get(command, i)))
            return false;
    return true;
}

static bool read_command(struct rows *rows, int column, json_t **command)
{
    CLEANUP(cleanup_free) char *text = NULL;
    if (!rows_text(rows, column, &text))
        return false;
    *command = json_loads(text, JSON_ALLOW_NUL, NULL);
    return command_is_words(*command) ||
           database_damaged(rows->database, "a command is no list of words");
}

static bool read_run(struct rows *rows, struct run *run)
{
    if (!read_command(rows, 0, &run->command) || !rows_text(rows, 1, &run->directory) ||
        !rows_seconds(rows, 2, &run->started) || !rows_seconds(rows, 3, &run->seconds) ||
        !rows_flag(rows, 4, &run->complete) || !rows_flag(rows, 5, &run->history))
        return false;
    return rows_is_null(rows, 6) || rows_text(rows, 6, &run->trouble);
}

static bool load_run(struct recording *recording)
{
    CLEANUP(rows_deinit) struct rows rows;
    if (!rows_init(&rows, &recording->database,
                   "SELECT command, directory, started, seconds, complete, history, trouble "
                   "FROM run"))
        return false;
    switch (rows_next(&rows)) {
    case ROWS_ROW:
        return read_run(&rows, &recording->run);
    case ROWS_END:
        return database_damaged(&recording->database, "it ends before the run began");
    case ROWS_PROBLEM:
        break;
    }
    return false;
}

/* A whole number that may be null. */
static bool read_optional(struct rows *rows, int column, int64_t instead, int64_t *number)
{
    *number = instead;
    return rows_is_null(rows, column) || rows_whole(rows, column, 0, INT32_MAX, number);
}

#define PROCESS_QUERY                                                                              \
    "SELECT id, pid, parent_pid, command, python, python_stacks, started, ended, exit_status, "    \
    "signal, peak_time, end_time, end_seen, peak_bytes, peak_blocks, end_bytes, end_blocks, "      \
    "leaked_bytes, leaked_blocks, allocations, frees, allocated_bytes, unmatched_frees, "          \
    "lost_events, events, peak_events, end_events FROM process ORDER BY id"

static bool read_counts(struct rows *rows, int column, struct process *process)
{
    struct sums *sums = &process->sums;
    uint64_t *const counts[] = {
        &sums->peak_bytes,      &sums->peak_blocks,        &sums->end_bytes,      &sums->end_blocks,
        &sums->leaked_bytes,    &sums->leaked_blocks,      &sums->allocations,    &process->frees,
        &sums->allocated_bytes, &process->unmatched_frees, &process->lost_events, &process->events,
        &process->peak_events,  &process->end_events,
    };
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
        if (!rows_count(rows, column + (int)i, counts[i]))
            return false;
    return true;
}

static bool read_process(struct rows *rows, struct process *process)
{
    if (!rows_index(rows, 0, &process->id) || !rows_whole(rows, 1, 0, INT32_MAX, &process->pid) ||
        !read_optional(rows, 2, 0, &process->parent) || !read_command(rows, 3, &process->command))
        return false;
    if (!rows_is_null(rows, 4) && !rows_text(rows, 4, &process->python))
        return false;
    return rows_flag(rows, 5, &process->python_stacks) &&
           rows_seconds(rows, 6, &process->started) && rows_seconds(rows, 7, &process->ended) &&
           read_optional(rows, 8, -1, &process->exit_status) &&
           read_optional(rows, 9, 0, &process->signal) &&
           rows_seconds(rows, 10, &process->peak_time) &&
           rows_seconds(rows, 11, &process->end_time) && rows_flag(rows, 12, &process->end_seen) &&
           read_counts(rows, 13, process);
}

static bool add_process(struct rows *rows, void *context)
{
    struct recording *recording = context;
    size_t count = recording->process_count++;
    recording->processes = memory_room(recording->processes, count, sizeof(struct process));
    struct process *process = &recording->processes[count];
    *process = (struct process){0};
    if (!read_process(rows, process))
        return false;
    return count == 0 || process->id > process[-1].id ||
           database_damaged(&recording->database, "processes out of order");
}

static bool load_processes(struct recording *recording)
{
    return rows_read_all(&recording->database, PROCESS_QUERY, add_process, recording);
}

static bool read_lineage(struct rows *rows, void *context)
{
    struct recording *recording = context;
    uint32_t id, parent;
    if (!rows_index(rows, 0, &id) || !rows_index(rows, 1, &parent))
        return false;
    struct process *process = recording_process(recording, id);
    if (!process || parent >= id || !recording_process(recording, parent))
        return database_damaged(&recording->database, "in whose children processes are");
    process->descends_from = recording_process(recording, parent);
    return true;
}

static bool load_lineage(struct recording *recording)
{
    return rows_read_table(&recording->database, "lineage",
                           "SELECT process, parent FROM lineage ORDER BY process", read_lineage,
                           recording);
}

/* Counts each process's counters. One without a process would be missing from all sums. */
static bool count_counters(struct recording *recording)
{
    CLEANUP(rows_deinit) struct rows rows;
    if (!rows_init(&rows, &recording->database,
                   "SELECT process, max(first + count), count(*) FROM counter_chunk "
                   "GROUP BY process"))
        return false;
    enum rows_step step;
    while ((step = rows_next(&rows)) == ROWS_ROW) {
        uint32_t id, count, chunks;
        if (!rows_index(&rows, 0, &id) || !rows_index(&rows, 1, &count) ||
            !rows_index(&rows, 2, &chunks))
            return false;
        struct process *process = recording_process(recording, id);
        if (!process || count > (uint64_t)chunks * CHUNK_ROWS)
            return database_damaged(&recording->database, "counters of no process");
        process->counter_count = count;
    }
    return step == ROWS_END;
}

/* Do the processes' numbers add up to something that a signed number holds? */
static bool check_totals(struct recording *recording)
{
    uint64_t sums[11] = {0};
    for (size_t i = 0; i < recording->process_count; i++) {
        const struct process *process = &recording->processes[i];
        const uint64_t counts[] = {
            process->sums.allocations,   process->sums.allocated_bytes, process->sums.peak_blocks,
            process->sums.peak_bytes,    process->sums.end_blocks,      process->sums.end_bytes,
            process->sums.leaked_blocks, process->sums.leaked_bytes,    process->frees,
            process->unmatched_frees,    process->lost_events,
        };
        for (size_t j = 0; j < sizeof counts / sizeof *counts; j++) {
            sums[j] += counts[j];
            if (sums[j] > INT64_MAX)
                return database_damaged(&recording->database, "sums beyond any memory");
        }
        if (process->peak_events > process->events || process->end_events > process->events)
            return database_damaged(&recording->database, "moments after the last event");
    }
    return true;
}

/* --- the peak of the run ---------------------------------------------------------------------
 */

/* Recordings have both tables or none. A view of such a name is none, and not asked. */
static bool find_peak_tables(struct recording *recording, bool *found)
{
    CLEANUP(rows_deinit) struct rows rows;
    int64_t count;
    if (!rows_init(&rows, &recording->database,
                   "SELECT count(*) FROM sqlite_schema WHERE type = 'table' "
                   "AND name IN ('run_peak', 'run_peak_process')"))
        return false;
    if (rows_next(&rows) != ROWS_ROW || !rows_whole(&rows, 0, 0, 2, &count))
        return database_damaged(&recording->database, "its tables cannot be read");
    *found = count == 2;
    return count != 1 || database_damaged(&recording->database, "a table is missing");
}

static bool read_peak(struct rows *rows, struct run_peak *peak)
{
    return rows_count(rows, 0, &peak->bytes) && rows_count(rows, 1, &peak->blocks) &&
           rows_seconds(rows, 2, &peak->time) &&
           (peak->time >= 0 || database_damaged(rows->database, "a wrong value in time"));
}

/* A run that goes on, or was cut short, may not have come to it. */
static bool load_peak_row(struct recording *recording)
{
    CLEANUP(rows_deinit) struct rows rows;
    if (!rows_init(&rows, &recording->database, "SELECT bytes, blocks, time FROM run_peak"))
        return false;
    enum rows_step step = rows_next(&rows);
    recording->peak.is_known = step == ROWS_ROW;
    if (step == ROWS_ROW)
        return read_peak(&rows, &recording->peak);
    return step == ROWS_END &&
           (isnan(recording->run.seconds) ||
            database_damaged(&recording->database, "the peak of the run is missing"));
}

/* What a process holds cannot be more than at its own peak, and is that at its own peak. */
static bool is_possible(const struct process *process, const struct peak_position *position)
{
    const struct sums *sums = &process->sums;
    return position->events <= process->events && position->bytes <= sums->peak_bytes &&
           (position->events != process->peak_events ||
            (position->bytes == sums->peak_bytes && position->blocks == sums->peak_blocks));
}

static bool read_position(struct rows *rows, void *context)
{
    struct recording *recording = context;
    uint32_t id;
    struct peak_position position = {.lived = true};
    if (!rows_index(rows, 0, &id) || !rows_count(rows, 1, &position.events) ||
        !rows_count(rows, 2, &position.bytes) || !rows_count(rows, 3, &position.blocks))
        return false;
    struct process *process = recording_process(recording, id);
    if (!process || process->at_run_peak.lived || !is_possible(process, &position))
        return database_damaged(&recording->database, "in the peak of the run");
    process->at_run_peak = position;
    return true;
}

/* The processes' parts must add up to the whole, which is at least each one's own peak. */
static bool check_peak(struct recording *recording)
{
    struct run_peak *peak = &recording->peak;
    uint64_t bytes = 0, blocks = 0, most = 0;
    for (size_t i = 0; i < recording->process_count; i++) {
        const struct process *process = &recording->processes[i];
        bytes += process->at_run_peak.bytes;
        if (__builtin_add_overflow(blocks, process->at_run_peak.blocks, &blocks))
            return database_damaged(&recording->database, "sums beyond any memory");
        most = process->sums.peak_bytes > most ? process->sums.peak_bytes : most;
    }
    if (peak->is_known && (bytes != peak->bytes || blocks != peak->blocks))
        return database_damaged(&recording->database, "the peak of the run does not add up");
    peak->is_known &= peak->bytes >= most;
    return true;
}

static bool load_positions(struct recording *recording)
{
    return rows_read_all(
               &recording->database,
               "SELECT process, events, bytes, blocks FROM run_peak_process ORDER BY process",
               read_position, recording) &&
           check_peak(recording);
}

static bool load_peak(struct recording *recording)
{
    bool found = false;
    return find_peak_tables(recording, &found) &&
           (!found || (load_peak_row(recording) && load_positions(recording)));
}

bool recording_init(struct recording *recording, const char *path, struct progress *progress)
{
    *recording = (struct recording){0};
    return database_init(&recording->database, path, progress) && load_run(recording) &&
           load_processes(recording) && load_lineage(recording) && endings_load(recording) &&
           absences_load(recording) && check_totals(recording) && load_peak(recording) &&
           count_counters(recording) && inheritances_load(recording) &&
           symbols_init(&recording->symbols, &recording->database) && endings_check(recording) &&
           stacks_init(&recording->stacks, &recording->database, &recording->symbols);
}

void recording_deinit(struct recording *recording)
{
    inheritances_deinit(recording);
    for (size_t i = 0; i < recording->process_count; i++) {
        json_decref(recording->processes[i].command);
        free(recording->processes[i].python);
    }
    free(recording->processes);
    json_decref(recording->run.command);
    free(recording->run.directory);
    free(recording->run.trouble);
    json_decref(recording->run.absences);
    stacks_deinit(&recording->stacks);
    symbols_deinit(&recording->symbols);
    database_deinit(&recording->database);
}
