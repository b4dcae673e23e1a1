/*
 * Reading and deriving endings.
 */
#include "viewer/recording/endings.h"

#include <math.h>
#include <stdlib.h>

#include "viewer/base/cleanup.h"
#include "viewer/base/memory.h"
#include "viewer/base/order.h"
#include "viewer/recording/table_rows.h"

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

static bool take_ending(const void *row, void *context)
{
    const struct store_ending *stored = row;
    struct recording *recording = context;
    struct process *process = recording_process(recording, stored->process);
    if (!process)
        return database_damaged(&recording->database, "the ending of no process");
    struct ending *ending = &process->ending;
    ending->is_told = true;
    ending->core_dumped = stored->core_dumped;
    ending->out_of_memory = stored->out_of_memory;
    ending->refused = stored->refused;
    ending->most_refused = stored->most_refused_bytes;
    ending->collector_bytes = stored->collector_bytes;
    if (stored->executed)
        take_as_executed(process);
    return true;
}

static bool load_table(struct recording *recording)
{
    static const char *const tables[] = {
        "(SELECT *, 0 AS collector_bytes, 0 AS executed FROM ending)",
        "(SELECT *, 0 AS executed FROM ending)",
        "ending",
    };
    bool has_bytes, has_executed;
    return database_has_column(&recording->database, "ending", "collector_bytes", &has_bytes) &&
           database_has_column(&recording->database, "ending", "executed", &has_executed) &&
           table_rows_each(&recording->database, STORE_TABLE_ENDING,
                           tables[has_bytes + has_executed], "ORDER BY process", take_ending,
                           recording);
}

static bool take_refusal(const void *row, void *context)
{
    const struct store_refusal *refusal = row;
    struct recording *recording = context;
    struct process *process = recording_process(recording, refusal->process);
    if (!process)
        return database_damaged(&recording->database, "a refusal of no process");
    process->ending.refused_location = refusal->location;
    return true;
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
           table_rows_each_if_any(database, STORE_TABLE_REFUSAL, "", take_refusal, recording);
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
