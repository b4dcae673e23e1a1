/*
 * The counters are read twice. The first time to see which stacks matter and which thread each
 * counter is of; then as many stacks are kept as fit, which is found by trying; and the second time
 * what each counter says is added to its row.
 */
#include "viewer/html/page_rows.h"

#include <stdlib.h>

#include "allocators.h"
#include "viewer/base/cleanup.h"
#include "viewer/base/memory.h"
#include "viewer/history/inherited_counters.h"
#include "viewer/history/play.h"
#include "viewer/html/importance.h"
#include "viewer/html/page_fold.h"
#include "viewer/question/peak_held.h"
#include "viewer/recording/counters.h"
#include "viewer/recording/inheritance.h"

#define ALLOCATOR_BITS 3u

/* Of the stacks that did not fit, so many per cent are tried next. With fewer than the least the
 * innermost lines are given up. */
#define RETRY_PERCENT 60u
#define KEPT_LEAST    64u
#define RETRIES_BACK  2u

/* --- rows --- */

uint32_t page_rows_find(struct page_rows *rows, uint32_t node, uint32_t thread, uint32_t allocator)
{
    uint64_t key = (uint64_t)node << 32 | (uint64_t)thread << ALLOCATOR_BITS | allocator;
    uint32_t row = index_add(&rows->index, key, rows->count);
    if (row < rows->count)
        return row;
    rows->list = memory_room(rows->list, rows->count, sizeof *rows->list);
    rows->list[rows->count++] =
        (struct page_row){.node = node, .thread = thread, .allocator = allocator};
    return row;
}

/* --- the first pass --- */

/* What a counter counts for. */
struct owner {
    uint32_t node;   /* that stands for all that look the same; PAGE_NO_ROW: not on the page */
    uint32_t thread; /* among what was found, and the allocator */
};

struct survey {
    struct page_rows *rows;
    struct weights *weights; /* by node */
    struct owner **owners;   /* by process: by counter */
};

static void survey_row(void *context, size_t process, uint32_t number,
                       const struct counter_row *counter, bool inherited)
{
    struct survey *survey = context;
    struct page_rows *rows = survey->rows;
    struct owner *owner = &survey->owners[process][number];
    *owner = (struct owner){PAGE_NO_ROW, 0};
    if ((inherited && !rows->query->inherited) ||
        (allocator_is_apart(counter->allocator) && !query_counts(rows->query, counter->allocator)))
        return;
    uint32_t node = rows->grouping.keys[counter->node];
    struct weights *weights = &survey->weights[node];
    weights->of[MEASURE_PEAK] += counter->peak_bytes;
    weights->of[MEASURE_END] += counter->end_bytes;
    weights->of[MEASURE_LEAKED] += counter->leaked_bytes;
    weights->of[MEASURE_ALLOCATED] += counter->allocated_bytes;
    weights->of[MEASURE_ALLOCATIONS] += counter->allocations;
    uint32_t thread = page_threads_find(&rows->threads, (uint32_t)process, counter->thread,
                                        counter->allocated_bytes);
    *owner = (struct owner){node, thread << ALLOCATOR_BITS | counter->allocator};
}

static bool survey_process(struct survey *survey, size_t process)
{
    struct page_rows *rows = survey->rows;
    struct recording *recording = rows->recording;
    if (rows->query->inherited && !inheritance_know(recording, process))
        return false;
    size_t counters = recording->processes[process].counter_count;
    survey->owners[process] = memory_new(counters, sizeof **survey->owners);
    rows->row_of[process] = memory_new(counters, sizeof **rows->row_of);
    bool good = counters_visit(recording, process, survey_row, survey);
    inheritance_forget(recording, process);
    return good;
}

static bool survey_all(struct survey *survey)
{
    struct page_rows *rows = survey->rows;
    for (size_t i = 0; i < rows->processes.count; i++) {
        size_t process = rows->processes.list[i];
        if (!survey_process(survey, process))
            return false;
        progress_step(rows->recording->database.progress, 1);
    }
    return true;
}

static void survey_deinit(struct survey *survey)
{
    for (size_t i = 0; i < survey->rows->recording->process_count; i++)
        free(survey->owners[i]);
    free(survey->owners);
    free(survey->weights);
}

/* --- which stacks are kept --- */

/* The recording's tree as stacks look to the reader, by node. */
struct plain_tree {
    uint32_t *parent, *place;
    size_t count;
};

static void plain_tree_init(struct plain_tree *tree, const struct page_rows *rows)
{
    const struct stacks *stacks = &rows->recording->stacks;
    *tree = (struct plain_tree){.count = stacks->count};
    tree->parent = memory_new(stacks->count, sizeof *tree->parent);
    tree->place = memory_new(stacks->count, sizeof *tree->place);
    for (size_t node = 1; node < stacks->count; node++) {
        tree->parent[node] = rows->grouping.keys[stacks->parent[node]];
        tree->place[node] = stacks->location[node]
                                ? PLACE_FIRST + rows->grouping.line_keys[stacks->location[node]]
                                : PLACE_NONE;
    }
}

static void plain_tree_deinit(struct plain_tree *tree)
{
    free(tree->parent);
    free(tree->place);
}

static void rows_forget(struct page_rows *rows)
{
    page_tree_deinit(&rows->tree);
    page_tree_init(&rows->tree);
    index_deinit(&rows->index);
    rows->count = 0;
}

/* Makes the rows of a process's counters; false when they are too many. */
static bool place_counters(struct page_rows *rows, struct page_fold *fold, size_t process,
                           const struct owner *owners, struct page_limits limits)
{
    uint32_t counters = rows->recording->processes[process].counter_count;
    for (uint32_t i = 0; i < counters; i++) {
        uint32_t *row = &rows->row_of[process][i];
        *row = PAGE_NO_ROW;
        if (owners[i].node == PAGE_NO_ROW)
            continue;
        uint32_t thread = rows->threads.page_thread_of[owners[i].thread >> ALLOCATOR_BITS];
        *row = page_rows_find(rows, page_fold_node(fold, owners[i].node), thread,
                              owners[i].thread & ((1u << ALLOCATOR_BITS) - 1));
        if (rows->tree.count > limits.nodes || rows->count > limits.rows)
            return false;
    }
    return true;
}

static bool try_kept(struct page_rows *rows, const struct survey *survey,
                     const struct plain_tree *tree, const bool *kept, bool keeps_lines,
                     struct page_limits limits)
{
    rows_forget(rows);
    CLEANUP(page_fold_deinit) struct page_fold fold;
    page_fold_init(&fold, &rows->tree, tree->parent, tree->place, kept, tree->count);
    fold.keeps_lines = keeps_lines;
    for (size_t i = 0; i < rows->processes.count; i++) {
        size_t process = rows->processes.list[i];
        if (!place_counters(rows, &fold, process, survey->owners[process], limits))
            return false;
    }
    return true;
}

/* What is tried, one after the other. */
struct trial {
    const struct survey *survey;
    const struct plain_tree *tree;
    const float *importance;
    bool *kept;
    struct page_limits limits;
};

static bool try_most(struct page_rows *rows, const struct trial *trial, size_t most)
{
    rows->kept_count =
        (uint32_t)importance_choose(trial->importance, trial->tree->count, most, trial->kept);
    return try_kept(rows, trial->survey, trial->tree, trial->kept, most >= KEPT_LEAST,
                    trial->limits);
}

/* Looks for the most stacks that fit: less and less, then some times half way back. */
static void choose_most(struct page_rows *rows, const struct trial *trial)
{
    size_t most = trial->limits.nodes, too_many = 0;
    while (most > 1 && !try_most(rows, trial, most)) {
        too_many = most;
        most = most * RETRY_PERCENT / 100;
    }
    if (!too_many)
        return;
    for (unsigned i = 0; i < RETRIES_BACK; i++) {
        size_t middle = most + (too_many - most) / 2;
        if (try_most(rows, trial, middle))
            most = middle;
        else
            too_many = middle;
    }
    try_most(rows, trial, most);
}

static void choose_kept(struct page_rows *rows, const struct survey *survey,
                        struct page_limits limits)
{
    CLEANUP(plain_tree_deinit) struct plain_tree tree;
    plain_tree_init(&tree, rows);
    CLEANUP(cleanup_free)
    float *importance = importance_of(survey->weights, tree.parent, tree.count);
    CLEANUP(cleanup_free) bool *kept = memory_new(tree.count, sizeof *kept);
    rows->stack_count = (uint32_t)importance_choose(importance, tree.count, tree.count, kept);
    const struct trial trial = {survey, &tree, importance, kept, limits};
    choose_most(rows, &trial);
}

/* --- the second pass --- */

struct fill {
    struct page_rows *rows;
    struct held *at_peak;   /* by counter; NULL: the counters' rows say it */
    struct held *temporary; /* the same */
};

static void fill_row(void *context, size_t process, uint32_t number,
                     const struct counter_row *counter, bool inherited)
{
    struct fill *fill = context;
    uint32_t to = fill->rows->row_of[process][number];
    if (to == PAGE_NO_ROW)
        return;
    struct page_row *row = &fill->rows->list[to];
    struct held peak = {counter->peak_bytes, counter->peak_blocks};
    struct held temporary = {counter->temporary_bytes, counter->temporary_blocks};
    held_add(&row->own_peak, peak);
    held_add(&row->end, (struct held){counter->end_bytes, counter->end_blocks});
    held_add(&row->leaked, (struct held){counter->leaked_bytes, counter->leaked_blocks});
    held_add(&row->peak, fill->at_peak ? fill->at_peak[number] : peak);
    held_add(&row->temporary, fill->temporary ? fill->temporary[number] : temporary);
    if (inherited) /* allocated elsewhere */
        return;
    row->allocations += counter->allocations;
    row->allocated_bytes += counter->allocated_bytes;
}

static bool fill_process(struct page_rows *rows, size_t process)
{
    struct fill fill = {.rows = rows};
    const struct query *query = rows->query;
    struct progress *progress = rows->recording->database.progress;
    progress_begin(progress, "reading a process", query->temporary > 1);
    bool good = (!query->inherited || inheritance_know(rows->recording, process)) &&
                peak_held(rows->recording, process, &rows->processes.peak->positions[process],
                          query->inherited, &fill.at_peak) &&
                (query->temporary < 2 ||
                 history_temporary(rows->recording, process, query->temporary, &fill.temporary)) &&
                counters_visit(rows->recording, process, fill_row, &fill);
    progress_end(progress);
    inheritance_forget(rows->recording, process);
    free(fill.at_peak);
    free(fill.temporary);
    return good;
}

/* --- all --- */

/* A location for each place. */
static void find_locations(struct page_rows *rows)
{
    size_t count = rows->recording->symbols.frame_count;
    rows->locations = memory_new(PLACE_FIRST + count, sizeof *rows->locations);
    for (size_t i = 0; i < count; i++)
        rows->locations[PLACE_FIRST + rows->grouping.line_keys[i]] = (uint32_t)i;
}

/* Each process is read twice. */
static bool read_rows(struct page_rows *rows, struct page_limits limits)
{
    CLEANUP(survey_deinit)
    struct survey survey = {
        .rows = rows,
        .weights = memory_new(rows->recording->stacks.count, sizeof *survey.weights),
        .owners = memory_new(rows->recording->process_count, sizeof *survey.owners),
    };
    if (!survey_all(&survey))
        return false;
    page_threads_choose(&rows->threads);
    choose_kept(rows, &survey, limits);
    for (size_t i = 0; i < rows->processes.count; i++)
        if (!fill_process(rows, rows->processes.list[i]))
            return false;
    return true;
}

bool page_rows_init(struct page_rows *rows, struct recording *recording, const struct query *query,
                    struct page_processes processes, struct page_limits limits)
{
    *rows = (struct page_rows){.recording = recording, .query = query, .processes = processes};
    grouping_init(&rows->grouping, recording, GROUP_BY_CODE, BLAME_NONE);
    find_locations(rows);
    page_tree_init(&rows->tree);
    rows->row_of = memory_new(recording->process_count, sizeof *rows->row_of);
    progress_begin(recording->database.progress, "reading the stacks", 2 * processes.count);
    bool good = read_rows(rows, limits);
    progress_end(recording->database.progress);
    return good;
}

void page_rows_deinit(struct page_rows *rows)
{
    for (size_t i = 0; rows->row_of && i < rows->recording->process_count; i++)
        free(rows->row_of[i]);
    free(rows->row_of);
    free(rows->locations);
    free(rows->list);
    index_deinit(&rows->index);
    page_threads_deinit(&rows->threads);
    page_tree_deinit(&rows->tree);
    grouping_deinit(&rows->grouping);
}
