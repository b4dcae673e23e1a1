/*
 * Reading where each process was forked, and adding up what is known of it.
 */
#include "viewer/recording/inheritance.h"

#include <stdlib.h>

#include "store.h"
#include "viewer/recording/table_rows.h"

/* --- where each was forked --- */

static bool take_inheritance(const void *row, void *context)
{
    const struct store_inheritance *stored = row;
    struct recording *recording = context;
    struct process *process = recording_process(recording, stored->process);
    struct process *parent = recording_process(recording, stored->parent);
    if (!process || !parent || parent >= process || process->inherited.parent)
        return database_damaged(&recording->database, "in what processes inherit");
    process->inherited = (struct inherited){.parent = parent,
                                            .events = stored->events,
                                            .first_block = stored->first_block,
                                            .told = process->counter_count};
    return true;
}

bool inheritances_load(struct recording *recording)
{
    return recording->database.format < STORE_FORMAT_INHERITANCE ||
           table_rows_each(&recording->database, STORE_TABLE_INHERITANCE, NULL, "ORDER BY process",
                           take_inheritance, recording);
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
