/*
 * The bucket at hand is summed up in an array by row, with a bit for each row that has something,
 * so that a bucket costs what happened in it, and its rows come out in order. Making buckets
 * longer, or folding rows, goes through the same array once more.
 *
 * Deaths come in no order, so they are summed up in a hash table.
 */
#include "viewer/html/changes.h"

#include <stdlib.h>
#include <string.h>

#include "viewer/base/cleanup.h"
#include "viewer/base/memory.h"
#include "viewer/html/importance.h"
#include "viewer/html/page_fold.h"

/* What is not given up while something else can be: buckets of changes and of deaths, nodes. When
 * all of them have come to the first line, the next one holds. */
static const struct least {
    size_t buckets, death_buckets;
    uint32_t nodes;
} leasts[] = {{240, 60, 2000}, {60, 15, 200}, {4, 2, 8}};
#define LEAST_COUNT (sizeof leasts / sizeof *leasts)

/* Folded rows keep their lines as long as there are not more of them than so many for each node
 * that is kept. */
#define LINES_PER_NODE_MAX 2u

/* How a death is found: numbers of these sizes side by side. */
#define BUCKET_BITS 16u

/* --- rows --- */

/* Makes room for rows that have come since. */
static void grow_rows(struct changes *changes)
{
    uint32_t old = changes->row_capacity, count = changes->rows->count;
    if (count <= old)
        return;
    uint32_t capacity = (count * 2 + 63) / 64 * 64;
    changes->row_now = memory_resize(changes->row_now, capacity, sizeof *changes->row_now);
    changes->sums = memory_resize(changes->sums, capacity, sizeof *changes->sums);
    changes->is_touched =
        memory_resize(changes->is_touched, capacity / 64, sizeof *changes->is_touched);
    memset(changes->sums + old, 0, (capacity - old) * sizeof *changes->sums);
    memset(changes->is_touched + old / 64, 0, (capacity - old) / 64 * sizeof *changes->is_touched);
    for (uint32_t row = old; row < capacity; row++)
        changes->row_now[row] = row;
    changes->row_capacity = capacity;
}

void changes_init(struct changes *changes, struct page_rows *rows, const struct time_grid *grid,
                  size_t changes_max, size_t deaths_max)
{
    *changes = (struct changes){
        .rows = rows,
        .grid = grid,
        .changes_max = changes_max,
        .deaths_max = deaths_max,
        .map = time_grid_map(grid, 0),
        .death_map = time_grid_map(grid, 0),
    };
    grow_rows(changes);
}

void changes_deinit(struct changes *changes)
{
    free(changes->map);
    free(changes->death_map);
    free(changes->list);
    free(changes->deaths);
    index_deinit(&changes->death_index);
    free(changes->row_now);
    free(changes->sums);
    free(changes->is_touched);
}

/* --- changes --- */

static bool is_nothing(const struct change *change)
{
    return !change->allocations && !change->blocks && !change->bytes;
}

static void put_change(struct changes *changes, const struct change *change)
{
    if (is_nothing(change))
        return;
    changes->list = memory_room(changes->list, changes->count, sizeof *changes->list);
    changes->list[changes->count++] = *change;
}

/* Writes the sums of a bucket down, in the order of the rows, and empties them. */
static void put_sums(struct changes *changes, uint32_t bucket)
{
    for (uint32_t word = 0; word < changes->row_capacity / 64; word++) {
        for (uint64_t bits = changes->is_touched[word]; bits; bits &= bits - 1) {
            uint32_t row = word * 64 + (uint32_t)__builtin_ctzll(bits);
            struct change *sum = &changes->sums[row];
            sum->row = row;
            sum->bucket = bucket;
            put_change(changes, sum);
            *sum = (struct change){0};
        }
        changes->is_touched[word] = 0;
    }
}

struct change *changes_at(struct changes *changes, uint32_t row)
{
    row = changes->row_now[row];
    changes->is_touched[row / 64] |= UINT64_C(1) << row % 64;
    return &changes->sums[row];
}

static void add_change(struct changes *changes, const struct change *change)
{
    struct change *sum = changes_at(changes, change->row);
    sum->allocations += change->allocations;
    sum->allocated_bytes += change->allocated_bytes;
    sum->blocks += change->blocks;
    sum->bytes += change->bytes;
}

/* Sums up what now has the same bucket and row; `map` is by bucket as it was, NULL: as it is. */
static void buckets_combine(struct changes *changes, const uint32_t *map)
{
    size_t count = changes->count;
    struct change *list = changes->list;
    changes->list = NULL;
    changes->count = 0;
    for (size_t i = 0; i < count;) {
        uint32_t bucket = map ? map[list[i].bucket] : list[i].bucket;
        for (; i < count && (map ? map[list[i].bucket] : list[i].bucket) == bucket; i++)
            add_change(changes, &list[i]);
        put_sums(changes, bucket);
    }
    free(list);
}

/* --- deaths --- */

static void put_death(struct changes *changes, const struct death *death)
{
    uint64_t key = ((uint64_t)death->row << BUCKET_BITS | death->born) << BUCKET_BITS | death->died;
    uint32_t number = index_add(&changes->death_index, key, (uint32_t)changes->death_count);
    if (number < changes->death_count) {
        changes->deaths[number].blocks += death->blocks;
        changes->deaths[number].bytes += death->bytes;
        return;
    }
    changes->deaths = memory_room(changes->deaths, changes->death_count, sizeof *changes->deaths);
    changes->deaths[changes->death_count++] = *death;
}

/* Sums up what now has the same row and buckets; `map` as above. */
static void combine_deaths(struct changes *changes, const uint32_t *map)
{
    size_t count = changes->death_count;
    struct death *list = changes->deaths;
    changes->deaths = NULL;
    changes->death_count = 0;
    index_deinit(&changes->death_index);
    for (size_t i = 0; i < count; i++) {
        struct death death = list[i];
        death.row = changes->row_now[death.row];
        death.born = map ? map[death.born] : death.born;
        death.died = map ? map[death.died] : death.died;
        if (death.born != death.died && (death.blocks || death.bytes))
            put_death(changes, &death);
    }
    free(list);
}

/* --- making do with less --- */

/* Of each bucket of a level the one of the next level, by way of the buckets of level 0. */
static uint32_t *next_map(const struct time_grid *grid, unsigned level, uint32_t **now)
{
    uint32_t *next = time_grid_map(grid, level + 1);
    uint32_t *map = memory_new(grid->count, sizeof *map);
    for (size_t i = 0; i + 1 < grid->count; i++)
        map[(*now)[i]] = next[i];
    free(*now);
    *now = next;
    return map;
}

static bool can_lengthen(const struct changes *changes, unsigned level, size_t least)
{
    return level + 1 < TIME_GRID_LEVELS && time_grid_buckets(changes->grid, level + 1) >= least &&
           time_grid_buckets(changes->grid, level + 1) < time_grid_buckets(changes->grid, level);
}

static bool lengthen_deaths(struct changes *changes, size_t least)
{
    if (!can_lengthen(changes, changes->death_level, least))
        return false;
    CLEANUP(cleanup_free)
    uint32_t *map = next_map(changes->grid, changes->death_level++, &changes->death_map);
    combine_deaths(changes, map);
    return true;
}

static bool buckets_lengthen(struct changes *changes, size_t least)
{
    if (!can_lengthen(changes, changes->level, least))
        return false;
    put_sums(changes, changes->map[changes->bucket]);
    CLEANUP(cleanup_free)
    uint32_t *map = next_map(changes->grid, changes->level++, &changes->map);
    buckets_combine(changes, map);
    if (changes->death_level < changes->level)
        lengthen_deaths(changes, 0);
    return true;
}

static float *importance_of_nodes(const struct page_rows *rows)
{
    CLEANUP(cleanup_free)
    struct weights *weights = memory_new(rows->tree.count, sizeof *weights);
    for (uint32_t i = 0; i < rows->count; i++) {
        const struct page_row *row = &rows->list[i];
        struct weights *at = &weights[row->node];
        at->of[MEASURE_PEAK] += row->peak.bytes;
        at->of[MEASURE_END] += row->end.bytes;
        at->of[MEASURE_LEAKED] += row->leaked.bytes;
        at->of[MEASURE_ALLOCATED] += row->allocated_bytes;
        at->of[MEASURE_ALLOCATIONS] += row->allocations;
    }
    return importance_of(weights, rows->tree.parent, rows->tree.count);
}

/* Finds out what the rows become when all stacks but the kept ones are folded. Returns how many
 * rows that makes. */
static uint32_t find_rows(struct page_rows *rows, const bool *kept, uint32_t nodes,
                          bool keeps_lines, uint32_t *into, uint32_t count)
{
    CLEANUP(page_fold_deinit) struct page_fold fold;
    page_fold_init_same(&fold, &rows->tree, kept, nodes);
    fold.keeps_lines = keeps_lines;
    for (uint32_t i = 0; i < count; i++) {
        struct page_row row = rows->list[i];
        into[i] = page_rows_find(rows, page_fold_node(&fold, row.node), row.thread, row.allocator);
    }
    CLEANUP(cleanup_free) bool *is_there = memory_new(rows->count, sizeof *is_there);
    uint32_t different = 0;
    for (uint32_t i = 0; i < count; i++) {
        different += !is_there[into[i]];
        is_there[into[i]] = true;
    }
    return different;
}

/* Folds the rows of all stacks but the `most` that matter most. Where lines are what there are so
 * many of, they go as well. */
static void fold_rows(struct changes *changes, uint32_t most)
{
    struct page_rows *rows = changes->rows;
    put_sums(changes, changes->map[changes->bucket]);
    CLEANUP(cleanup_free) float *importance = importance_of_nodes(rows);
    CLEANUP(cleanup_free) bool *kept = memory_new(rows->tree.count, sizeof *kept);
    importance_choose(importance, rows->tree.count, most, kept);
    uint32_t count = rows->count, nodes = rows->tree.count;
    CLEANUP(cleanup_free) uint32_t *into = memory_new(count, sizeof *into);
    if (find_rows(rows, kept, nodes, true, into, count) > most * LINES_PER_NODE_MAX)
        find_rows(rows, kept, nodes, false, into, count);
    grow_rows(changes);
    memcpy(changes->row_now, into, count * sizeof *into);
    changes->nodes_kept = most;
    buckets_combine(changes, NULL);
    combine_deaths(changes, NULL);
}

static bool fold_more(struct changes *changes, uint32_t least)
{
    uint32_t now = changes->nodes_kept ? changes->nodes_kept : changes->rows->tree.count;
    if (now / 2 < least)
        return false;
    fold_rows(changes, now / 2);
    return true;
}

bool changes_coarsen(struct changes *changes)
{
    for (size_t i = 0; i < LEAST_COUNT; i++)
        if (buckets_lengthen(changes, leasts[i].buckets) || fold_more(changes, leasts[i].nodes))
            return true;
    return false;
}

bool changes_coarsen_deaths(struct changes *changes)
{
    for (size_t i = 0; i < LEAST_COUNT; i++)
        if (lengthen_deaths(changes, leasts[i].death_buckets) ||
            fold_more(changes, leasts[i].nodes))
            return true;
    return false;
}

/* --- as things happen --- */

void changes_finish(struct changes *changes)
{
    put_sums(changes, changes->map[changes->bucket]);
    buckets_combine(changes, NULL);
    while (changes->count > changes->changes_max && changes_coarsen(changes))
        ;
}

void changes_enter(struct changes *changes, uint32_t bucket)
{
    if (bucket == changes->bucket)
        return;
    if (changes->map[bucket] != changes->map[changes->bucket]) {
        put_sums(changes, changes->map[changes->bucket]);
        while (changes->count > changes->changes_max && changes_coarsen(changes))
            ;
    }
    changes->bucket = bucket;
}

void changes_die(struct changes *changes, uint32_t row, uint32_t born, int64_t blocks,
                 int64_t bytes)
{
    struct death death = {
        .row = changes->row_now[row],
        .born = changes->death_map[born],
        .died = changes->death_map[changes->bucket],
        .blocks = blocks,
        .bytes = bytes,
    };
    if (death.born == death.died)
        return;
    put_death(changes, &death);
    while (changes->death_count > changes->deaths_max && changes_coarsen_deaths(changes))
        ;
}
