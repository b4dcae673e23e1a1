/*
 * Building the tree of processes.
 *
 * Newer recordings say whose child a process is. In others a process id may stand for several rows:
 * programs executed one after the other, or processes one after the other. The parent is the latest
 * row before the child's own that had not ended when the child began; parents so have smaller
 * numbers than their children, whatever the recording says, and there is no circle.
 */
#include "viewer/recording/process_tree.h"

#include <math.h>
#include <stdlib.h>

#include "viewer/base/cleanup.h"
#include "viewer/base/memory.h"
#include "viewer/base/order.h"

const char *const process_sort_names[] = {
    [PROCESS_SORT_START] = "start",
    [PROCESS_SORT_PEAK] = "peak",
    [PROCESS_SORT_END] = "end",
    [PROCESS_SORT_LEAKED] = "leaked",
    [PROCESS_SORT_ALLOCATIONS] = "allocations",
    NULL,
};

/* A process on its way into the tree. */
struct entry {
    const struct process *process;
    size_t number; /* in the recording */
    size_t parent; /* number in the recording, or PROCESS_TREE_NONE */
    enum process_sort sort;
};

static int compare_pids(const void *a, const void *b)
{
    const struct entry *one = a, *other = b;
    return ORDER(one->process->pid, other->process->pid) ?: ORDER(one->number, other->number);
}

static uint64_t sorted_by(const struct entry *entry)
{
    const struct sums *sums = &entry->process->sums;
    switch (entry->sort) {
    case PROCESS_SORT_PEAK:
        return sums->peak_bytes;
    case PROCESS_SORT_END:
        return sums->end_bytes;
    case PROCESS_SORT_LEAKED:
        return sums->leaked_bytes;
    case PROCESS_SORT_ALLOCATIONS:
        return sums->allocations;
    default:
        return 0;
    }
}

/* Those of one parent together, in their order. */
static int compare_siblings(const void *a, const void *b)
{
    const struct entry *one = a, *other = b;
    return ORDER(one->parent, other->parent)
               ?: ORDER(sorted_by(other), sorted_by(one)) ?: ORDER(one->number, other->number);
}

/* The number of the first entry, sorted by pid and number, behind (pid, number). */
static size_t find_behind(const struct entry *by_pid, size_t count, int64_t pid, size_t number)
{
    size_t low = 0, high = count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const struct entry *entry = &by_pid[middle];
        bool before =
            entry->process->pid < pid || (entry->process->pid == pid && entry->number < number);
        if (before)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static size_t find_parent(const struct entry *by_pid, size_t count, const struct entry *child)
{
    if (child->process->descends_from)
        return child->number - (size_t)(child->process - child->process->descends_from);
    if (!child->process->parent)
        return PROCESS_TREE_NONE;
    size_t behind = find_behind(by_pid, count, child->process->parent, child->number);
    const struct entry *entry = behind ? &by_pid[behind - 1] : NULL;
    if (!entry || entry->process->pid != child->process->parent)
        return PROCESS_TREE_NONE;
    bool had_ended = entry->process->ended < child->process->started; /* not when unknown */
    return had_ended ? PROCESS_TREE_NONE : entry->number;
}

static struct entry *sorted_entries(const struct recording *recording, enum process_sort sort)
{
    size_t count = recording->process_count;
    struct entry *entries = memory_new(count, sizeof *entries);
    CLEANUP(cleanup_free) struct entry *by_pid = memory_new(count, sizeof *by_pid);
    for (size_t i = 0; i < count; i++)
        by_pid[i] = entries[i] =
            (struct entry){.process = &recording->processes[i], .number = i, .sort = sort};
    qsort(by_pid, count, sizeof *by_pid, compare_pids);
    for (size_t i = 0; i < count; i++)
        entries[i].parent = find_parent(by_pid, count, &entries[i]);
    qsort(entries, count, sizeof *entries, compare_siblings);
    return entries;
}

/* Siblings that are still to come. */
struct siblings {
    size_t next, end; /* of the entries */
    size_t parent;    /* node */
};

/* The entries whose parent has this number. */
static struct siblings children_of(const struct entry *entries, size_t count, size_t number,
                                   size_t node)
{
    size_t low = 0, high = count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (entries[middle].parent < number)
            low = middle + 1;
        else
            high = middle;
    }
    size_t end = low;
    while (end < count && entries[end].parent == number)
        end++;
    return (struct siblings){low, end, node};
}

void process_tree_init(struct process_tree *tree, const struct recording *recording,
                       enum process_sort sort)
{
    size_t count = recording->process_count, depth = 0;
    *tree = (struct process_tree){.nodes = memory_new(count, sizeof *tree->nodes)};
    CLEANUP(cleanup_free) struct entry *entries = sorted_entries(recording, sort);
    CLEANUP(cleanup_free) struct siblings *levels = memory_new(count + 1, sizeof *levels);
    levels[0] = children_of(entries, count, PROCESS_TREE_NONE, PROCESS_TREE_NONE);
    for (;;) {
        struct siblings *level = &levels[depth];
        if (level->next == level->end) {
            if (depth-- == 0)
                return;
            continue;
        }
        const struct entry *entry = &entries[level->next++];
        size_t node = tree->count++;
        tree->nodes[node] = (struct process_node){.process = entry->process,
                                                  .parent = level->parent,
                                                  .depth = depth,
                                                  .is_last = level->next == level->end};
        levels[++depth] = children_of(entries, count, entry->number, node);
        tree->nodes[node].has_children = levels[depth].next < levels[depth].end;
    }
}

void process_tree_deinit(struct process_tree *tree)
{
    free(tree->nodes);
}
