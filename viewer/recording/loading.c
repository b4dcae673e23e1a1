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
#include "viewer/recording/table_rows.h"
#include "viewer/recording/touched.h"

static bool command_is_words(const json_t *command)
{
    if (!json_is_array(command))
        return false;
    for (size_t i = 0; i < json_array_size(command); i++)
        if (!json_is_string(json_array_get(command, i)))
            return false;
    return true;
}

static bool read_command(struct recording *recording, const char *text, json_t **command)
{
    *command = json_loads(text, JSON_ALLOW_NUL, NULL);
    return command_is_words(*command) ||
           database_damaged(&recording->database, "a command is no list of words");
}

static bool take_run(const void *row, void *context)
{
    const struct store_run *run = row;
    struct recording *recording = context;
    recording->run = (struct run){
        .directory = memory_copy(run->directory),
        .started = run->started,
        .seconds = run->seconds,
        .complete = run->complete,
        .history = run->history,
        .trouble = run->trouble ? memory_copy(run->trouble) : NULL,
    };
    return read_command(recording, run->command, &recording->run.command);
}

static bool load_run(struct recording *recording)
{
    return table_rows_each(&recording->database, STORE_TABLE_RUN, NULL, "LIMIT 1", take_run,
                           recording) &&
           (recording->run.command ||
            database_damaged(&recording->database, "it ends before the run began"));
}

static struct process process_of_row(const struct store_process *row)
{
    return (struct process){
        .id = row->id,
        .pid = row->pid,
        .parent = row->parent_pid < 0 ? 0 : row->parent_pid,
        .python = row->python ? memory_copy(row->python) : NULL,
        .python_stacks = row->python_stacks,
        .end_seen = row->end_seen,
        .started = row->started,
        .ended = row->ended,
        .peak_time = row->peak_time,
        .end_time = row->end_time,
        .exit_status = row->exit_status,
        .signal = row->signal < 0 ? 0 : row->signal,
        .sums = {.allocations = row->allocations,
                 .allocated_bytes = row->allocated_bytes,
                 .peak_blocks = row->peak_blocks,
                 .peak_bytes = row->peak_bytes,
                 .end_blocks = row->end_blocks,
                 .end_bytes = row->end_bytes,
                 .leaked_blocks = row->leaked_blocks,
                 .leaked_bytes = row->leaked_bytes},
        .frees = row->frees,
        .unmatched_frees = row->unmatched_frees,
        .lost_events = row->lost_events,
        .events = row->events,
        .peak_events = row->peak_events,
        .end_events = row->end_events,
    };
}

static bool take_process(const void *row, void *context)
{
    const struct store_process *stored = row;
    struct recording *recording = context;
    size_t count = recording->process_count++;
    recording->processes = memory_room(recording->processes, count, sizeof(struct process));
    struct process *process = &recording->processes[count];
    *process = process_of_row(stored);
    if (!read_command(recording, stored->command, &process->command))
        return false;
    return count == 0 || process->id > process[-1].id ||
           database_damaged(&recording->database, "processes out of order");
}

static bool load_processes(struct recording *recording)
{
    return table_rows_each(&recording->database, STORE_TABLE_PROCESS, NULL, "ORDER BY id",
                           take_process, recording);
}

static bool take_lineage(const void *row, void *context)
{
    const struct store_lineage *lineage = row;
    struct recording *recording = context;
    struct process *process = recording_process(recording, lineage->process);
    const struct process *parent = recording_process(recording, lineage->parent);
    if (!process || !parent || parent >= process)
        return database_damaged(&recording->database, "in whose children processes are");
    process->descends_from = parent;
    return true;
}

static bool load_lineage(struct recording *recording)
{
    return table_rows_each_if_any(&recording->database, STORE_TABLE_LINEAGE, "ORDER BY process",
                                  take_lineage, recording);
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

static bool take_peak(const void *row, void *context)
{
    const struct store_run_peak *peak = row;
    struct recording *recording = context;
    recording->peak = (struct run_peak){true, peak->bytes, peak->blocks, peak->time};
    return peak->time >= 0 || database_damaged(&recording->database, "a wrong value in time");
}

/* A run that goes on, or was cut short, may not have come to it. */
static bool load_peak_row(struct recording *recording)
{
    return table_rows_each(&recording->database, STORE_TABLE_RUN_PEAK, NULL, "LIMIT 1", take_peak,
                           recording) &&
           (recording->peak.is_known || isnan(recording->run.seconds) ||
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

static bool take_position(const void *row, void *context)
{
    const struct store_run_peak_process *stored = row;
    struct recording *recording = context;
    const struct peak_position position = {true, stored->events, stored->bytes, stored->blocks};
    struct process *process = recording_process(recording, stored->process);
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
    return table_rows_each(&recording->database, STORE_TABLE_RUN_PEAK_PROCESS, NULL,
                           "ORDER BY process", take_position, recording) &&
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
           count_counters(recording) && touched_load(recording) && inheritances_load(recording) &&
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
