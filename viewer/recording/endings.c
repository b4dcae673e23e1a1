/*
 * Reading and deriving endings.
 */
#include "viewer/recording/endings.h"

#include <math.h>
#include <stdlib.h>

#include "viewer/base/cleanup.h"
#include "viewer/base/memory.h"
#include "viewer/base/order.h"

const char *const ending_names[] = {
    [ENDING_UNKNOWN] = "unknown", [ENDING_EXITED] = "exited",   [ENDING_KILLED] = "killed",
    [ENDING_EXECUTED] = "exec",   [ENDING_RUNNING] = "running",
};

/* What it held went with its address space: nothing of that has leaked. */
static void take_as_executed(struct process *process)
{
    process->ending.kind = ENDING_EXECUTED;
    process->sums.leaked_bytes = process->sums.leaked_blocks = 0;
}

/* --- the table --- */

static bool read_executed(struct rows *rows, struct process *process)
{
    bool executed;
    if (!rows_flag(rows, 6, &executed))
        return false;
    if (executed)
        take_as_executed(process);
    return true;
}

static bool read_row(struct rows *rows, void *context)
{
    struct recording *recording = context;
    uint32_t id;
    if (!rows_index(rows, 0, &id))
        return false;
    struct process *process = recording_process(recording, id);
    if (!process)
        return database_damaged(&recording->database, "the ending of no process");
    struct ending *ending = &process->ending;
    ending->is_told = true;
    return rows_flag(rows, 1, &ending->core_dumped) && rows_flag(rows, 2, &ending->out_of_memory) &&
           rows_count(rows, 3, &ending->refused) && rows_count(rows, 4, &ending->most_refused) &&
           rows_count(rows, 5, &ending->collector_bytes) && read_executed(rows, process);
}

static bool load_table(struct recording *recording)
{
    static const char *const queries[] = {
        "SELECT process, core_dumped, out_of_memory, refused, most_refused_bytes, 0, 0 "
        "FROM ending ORDER BY process",
        "SELECT process, core_dumped, out_of_memory, refused, most_refused_bytes, collector_bytes, "
        "0 FROM ending ORDER BY process",
        "SELECT process, core_dumped, out_of_memory, refused, most_refused_bytes, collector_bytes, "
        "executed FROM ending ORDER BY process",
    };
    bool has_bytes, has_executed;
    return database_has_column(&recording->database, "ending", "collector_bytes", &has_bytes) &&
           database_has_column(&recording->database, "ending", "executed", &has_executed) &&
           rows_read_all(&recording->database, queries[has_bytes + has_executed], read_row,
                         recording);
}

static bool read_refusal(struct rows *rows, void *context)
{
    struct recording *recording = context;
    uint32_t id;
    struct process *process = rows_index(rows, 0, &id) ? recording_process(recording, id) : NULL;
    return process ? rows_index(rows, 1, &process->ending.refused_location)
                   : database_damaged(&recording->database, "a refusal of no process");
}

/* --- kinds --- */

/* What is known without other rows. */
static enum ending_kind kind_alone(const struct process *process)
{
    if (process->signal)
        return ENDING_KILLED;
    if (process->exit_status >= 0)
        return ENDING_EXITED;
    return isnan(process->ended) ? ENDING_RUNNING : ENDING_UNKNOWN;
}

static int compare_by_pid(const void *a, const void *b)
{
    const struct process *one = *(struct process *const *)a, *other = *(struct process *const *)b;
    return ORDER(one->pid, other->pid) ?: ORDER(one->id, other->id);
}

/* Of two rows of one process id the first one's program has made place for the second one's, unless
 * its end is known. */
static void find_executed(struct process *const *by_pid, size_t count)
{
    for (size_t i = 0; i + 1 < count; i++) {
        struct process *process = by_pid[i];
        const struct process *next = by_pid[i + 1];
        if (process->ending.kind == ENDING_UNKNOWN && next->pid == process->pid &&
            next->started >= process->ended)
            take_as_executed(process);
    }
}

static void find_kinds(struct recording *recording)
{
    size_t count = recording->process_count;
    CLEANUP(cleanup_free) struct process **by_pid = memory_new(count, sizeof *by_pid);
    for (size_t i = 0; i < count; i++) {
        by_pid[i] = &recording->processes[i];
        by_pid[i]->ending.kind = kind_alone(by_pid[i]);
    }
    qsort(by_pid, count, sizeof *by_pid, compare_by_pid);
    find_executed(by_pid, count);
}

bool endings_load(struct recording *recording)
{
    struct database *database = &recording->database;
    bool has;
    find_kinds(recording);
    return database_has_table(database, "ending", &has) && (!has || load_table(recording)) &&
           rows_read_table(database, "refusal", "SELECT process, location FROM refusal",
                           read_refusal, recording);
}

bool endings_check(struct recording *recording)
{
    for (size_t i = 0; i < recording->process_count; i++)
        if (recording->processes[i].ending.refused_location >= recording->symbols.frame_count)
            return database_damaged(&recording->database, "a refusal at no location");
    return true;
}

const struct frame *ending_refused_at(const struct recording *recording,
                                      const struct process *process)
{
    uint32_t location = process->ending.refused_location;
    return location ? &recording->symbols.frames[location] : NULL;
}

bool ending_is_remarkable(const struct process *process)
{
    switch (process->ending.kind) {
    case ENDING_EXITED:
        return process->exit_status != 0;
    case ENDING_KILLED:
    case ENDING_RUNNING:
        return true;
    default:
        return false;
    }
}
