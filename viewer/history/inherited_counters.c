/*
 * A process is made known from its oldest ancestor down: each generation's counters at the fork are
 * sorted by what they count, and those that the child has in the file find theirs there.
 */
#include "viewer/history/inherited_counters.h"

#include <stdlib.h>

#include "viewer/base/cleanup.h"
#include "viewer/base/memory.h"
#include "viewer/base/order.h"
#include "viewer/history/counter_source.h"
#include "viewer/recording/inheritance.h"

/* --- what a parent held --- */

/* A counter's row with what it held, as its peak. */
struct parts {
    struct counter_row *list;
    size_t count;
    const struct held *held; /* by counter of the parent */
};

static void add_part(void *context, size_t process, uint32_t number, const struct counter_row *row,
                     bool inherited)
{
    (void)process, (void)inherited;
    struct parts *parts = context;
    const struct held *held = &parts->held[number];
    if (!held->blocks && !held->bytes)
        return;
    parts->list = memory_room(parts->list, parts->count, sizeof *parts->list);
    parts->list[parts->count++] = (struct counter_row){
        .node = row->node,
        .thread = row->thread,
        .allocator = row->allocator,
        .size_class = row->size_class,
        .peak_blocks = held->blocks,
        .peak_bytes = held->bytes,
        .end_blocks = held->blocks,
        .end_bytes = held->bytes,
        .leaked_blocks = held->blocks,
        .leaked_bytes = held->bytes,
    };
}

static int compare_parts(const void *a, const void *b)
{
    const struct counter_row *one = a, *other = b;
    return ORDER(one->node, other->node)
               ?: ORDER(one->thread, other->thread)
               ?: ORDER(one->allocator, other->allocator)
               ?: ORDER(one->size_class, other->size_class);
}

static bool held_at_fork(struct recording *recording, const struct inherited *inherited,
                         struct held **held)
{
    size_t parent = (size_t)(inherited->parent - recording->processes);
    const struct counter_source *source = counter_source_of(recording);
    struct position fork;
    return source->position_after(recording, parent, inherited->events, &fork) &&
           source->held_at(recording, parent, fork.events, held);
}

/* What the parent, which is known, held at the fork. */
static bool parts_collect(struct recording *recording, const struct inherited *inherited,
                          struct parts *parts)
{
    CLEANUP(cleanup_free) struct held *held = NULL;
    if (!held_at_fork(recording, inherited, &held))
        return false;
    parts->held = held;
    bool good = counter_source_of(recording)->visit(
        recording, (size_t)(inherited->parent - recording->processes), add_part, parts);
    parts->held = NULL;
    if (parts->count)
        qsort(parts->list, parts->count, sizeof *parts->list, compare_parts);
    return good;
}

/* --- what a child makes of it --- */

/* The counters that the child has in the file, finding theirs. */
struct matching {
    const struct parts *parts;
    bool *is_taken; /* by part */
    struct held *held;
};

static void part_match(void *context, size_t process, uint32_t number,
                       const struct counter_row *row, bool inherited)
{
    (void)process;
    struct matching *matching = context;
    const struct parts *parts = matching->parts;
    const struct counter_row *part =
        inherited && parts->count
            ? bsearch(row, parts->list, parts->count, sizeof *parts->list, compare_parts)
            : NULL;
    if (!part)
        return;
    matching->is_taken[part - parts->list] = true;
    matching->held[number] = (struct held){part->peak_bytes, part->peak_blocks};
}

/* The parts that no counter in the file has taken become counters behind them. */
static bool parts_spread(struct recording *recording, size_t number, const struct parts *parts)
{
    struct process *process = &recording->processes[number];
    struct inherited *inherited = &process->inherited;
    CLEANUP(cleanup_free) bool *is_taken = memory_new(parts->count, sizeof *is_taken);
    struct held *held = memory_new(inherited->told + parts->count, sizeof *held);
    struct counter_row *rows = memory_new(parts->count, sizeof *rows);
    struct matching matching = {parts, is_taken, held};
    bool good = counter_source_of(recording)->visit(recording, number, part_match, &matching);
    uint32_t count = 0;
    for (size_t i = 0; i < parts->count; i++) {
        if (is_taken[i])
            continue;
        held[inherited->told + count] =
            (struct held){parts->list[i].peak_bytes, parts->list[i].peak_blocks};
        rows[count++] = parts->list[i];
    }
    inherited->held = held;
    inherited->rows = rows;
    process->counter_count = inherited->told + count;
    return good;
}

static bool know_one(struct recording *recording, struct process *process)
{
    struct parts parts = {0};
    bool good = parts_collect(recording, &process->inherited, &parts) &&
                parts_spread(recording, (size_t)(process - recording->processes), &parts);
    free(parts.list);
    return good;
}

/* The oldest ancestor of the process, or itself, that is not known and whose parent is. */
static struct process *next_to_know(struct process *process)
{
    while (inheritance_is_missing(process->inherited.parent))
        process = process->inherited.parent;
    return process;
}

bool inheritance_know(struct recording *recording, size_t number)
{
    struct process *process = &recording->processes[number], *last = NULL;
    bool good = true;
    while (good && inheritance_is_missing(process)) {
        struct process *next = next_to_know(process);
        good = know_one(recording, next);
        if (last) /* only for its child's sake */
            inheritance_forget(recording, (size_t)(last - recording->processes));
        last = next;
    }
    return good;
}
