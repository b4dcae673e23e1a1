/*
 * Reading where each process was forked, and adding up what is known of it.
 */
#include "viewer/recording/inheritance.h"

#include <stdlib.h>

#include "store.h"

/* --- where each was forked --- */

static bool read_inheritance(struct rows *rows, void *context)
{
    struct recording *recording = context;
    uint32_t id, parent;
    struct inherited inherited = {0};
    if (!rows_index(rows, 0, &id) || !rows_index(rows, 1, &parent) ||
        !rows_count(rows, 2, &inherited.events) || !rows_count(rows, 3, &inherited.first_block))
        return false;
    struct process *process = recording_process(recording, id);
    inherited.parent = recording_process(recording, parent);
    if (!process || !inherited.parent || parent >= id || process->inherited.parent)
        return database_damaged(&recording->database, "in what processes inherit");
    inherited.told = process->counter_count;
    process->inherited = inherited;
    return true;
}

bool inheritances_load(struct recording *recording)
{
    return recording->database.format < STORE_FORMAT_INHERITANCE ||
           rows_read_all(
               &recording->database,
               "SELECT process, parent, events, first_block FROM inheritance ORDER BY process",
               read_inheritance, recording);
}

void inheritance_forget(struct recording *recording, size_t number)
{
    struct inherited *inherited = &recording->processes[number].inherited;
    free(inherited->held);
    free(inherited->rows);
    inherited->held = NULL;
    inherited->rows = NULL;
}

void inheritances_deinit(struct recording *recording)
{
    for (size_t i = 0; i < recording->process_count; i++)
        inheritance_forget(recording, i);
}

/* --- with it --- */

bool inheritance_is_missing(const struct process *process)
{
    return process->inherited.parent && !process->inherited.held;
}

void inheritance_add(const struct process *process, struct held *held)
{
    const struct held *inherited = process->inherited.held;
    for (uint32_t i = 0; inherited && i < process->counter_count; i++)
        held_add(&held[i], inherited[i]);
}

bool inheritance_allows(const struct process *process, const struct held *held)
{
    if (held->blocks <= UINT32_MAX && held->bytes <= INT64_MAX)
        return true;
    return inheritance_is_missing(process) && -held->blocks <= UINT32_MAX &&
           -held->bytes <= INT64_MAX;
}
