/*
 * Statistics to the letter as tracemalloc prints them (CPython's Lib/tracemalloc.py): what it
 * groups by is files and lines without functions, and its order is by size, count and traceback,
 * the largest first. The outermost frame stands for a traceback.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "viewer/base/cleanup.h"
#include "viewer/base/memory.h"
#include "viewer/base/order.h"
#include "viewer/base/size.h"
#include "viewer/format/report.h"
#include "viewer/question/row.h"

/* tracemalloc's own name for what has no frame. */
#define UNKNOWN_FILE "<unknown>"

struct place {
    const char *file;
    int32_t line;
};

/* A statistic: places from the outermost to the innermost. */
struct statistic {
    struct place *places;
    size_t depth;
    struct row row;
};

static struct place place_of(const struct frame *frame, enum group_by by)
{
    if (!frame->file)
        return (struct place){UNKNOWN_FILE, 0};
    return (struct place){frame->file, by == GROUP_BY_FILE ? 0 : frame->line};
}

static struct statistic statistic_of(const struct answer *answer, const struct row *row)
{
    const struct grouping *grouping = &answer->grouping;
    const struct stacks *stacks = &grouping->recording->stacks;
    const struct frame *frames = grouping->recording->symbols.frames;
    bool is_stack = grouping->by == GROUP_BY_STACK;
    size_t depth = is_stack ? stacks_depth(stacks, row->key) : 0;
    struct statistic statistic = {.depth = depth ? depth : 1, .row = *row};
    statistic.places = memory_new(statistic.depth, sizeof *statistic.places);
    if (!is_stack) {
        statistic.places[0] = place_of(grouping_frame(grouping, row->key), grouping->by);
        return statistic;
    }
    statistic.places[0] = place_of(&frames[0], GROUP_BY_LINE);
    for (uint32_t node = row->key; node; node = stacks->parent[node])
        statistic.places[--depth] = place_of(&frames[stacks->location[node]], GROUP_BY_LINE);
    return statistic;
}

/* As Python compares tuples. */
static int compare_places(const void *a, const void *b)
{
    const struct statistic *one = a, *other = b;
    for (size_t i = 0; i < one->depth && i < other->depth; i++) {
        int order = strcmp(one->places[i].file, other->places[i].file)
                        ?: ORDER(one->places[i].line, other->places[i].line);
        if (order)
            return order;
    }
    return ORDER(one->depth, other->depth);
}

static int compare_statistics(const void *a, const void *b)
{
    const struct statistic *one = a, *other = b;
    return ORDER(other->row.bytes, one->row.bytes)
               ?: ORDER(other->row.blocks, one->row.blocks) ?: compare_places(b, a);
}

/* Sums what has the same places; returns how many are left. */
static size_t statistics_merge(struct statistic *statistics, size_t count)
{
    size_t kept = 0;
    qsort(statistics, count, sizeof *statistics, compare_places);
    for (size_t i = 0; i < count; i++) {
        if (kept && !compare_places(&statistics[kept - 1], &statistics[i])) {
            row_add(&statistics[kept - 1].row, &statistics[i].row);
            free(statistics[i].places);
        } else {
            statistics[kept++] = statistics[i];
        }
    }
    return kept;
}

void report_print_tracemalloc(FILE *stream, const struct answer *answer, size_t limit)
{
    CLEANUP(cleanup_free)
    struct statistic *statistics = memory_new(answer->row_count, sizeof *statistics);
    size_t count = 0;
    for (size_t i = 0; i < answer->row_count; i++)
        if (answer->rows[i].blocks)
            statistics[count++] = statistic_of(answer, &answer->rows[i]);
    count = statistics_merge(statistics, count);
    qsort(statistics, count, sizeof *statistics, compare_statistics);
    for (size_t i = 0; i < count; i++) {
        const struct statistic *statistic = &statistics[i];
        if (!limit || i < limit)
            fprintf(stream, "%s:%" PRId32 ": size=%s, count=%" PRIu64 ", average=%s\n",
                    statistic->places[0].file, statistic->places[0].line,
                    size_format(statistic->row.bytes).text, statistic->row.blocks,
                    size_format_average(statistic->row.bytes, statistic->row.blocks).text);
        free(statistic->places);
    }
}
