/*
 * Column by column, so that what is alike stands together when it is compressed.
 */
#include "viewer/html/page_pack.h"

#include <stdlib.h>

#include "viewer/base/cleanup.h"
#include "viewer/base/memory.h"
#include "viewer/base/order.h"

/* --- the tree --- */

static void pack_nodes(struct bytes *bytes, const struct page_tree *tree,
                       const struct page_names *names)
{
    bytes_put(bytes, tree->count);
    for (uint32_t i = 0; i < tree->count; i++)
        bytes_put(bytes, i - tree->parent[i]);
    int64_t before = 0;
    for (uint32_t i = 0; i < tree->count; i++) {
        int64_t place = names->page_place[tree->place[i]];
        bytes_put_signed(bytes, place - before);
        before = place;
    }
}

/* A column of the rows whose numbers are so far into each. */
static void pack_column(struct bytes *bytes, const struct page_rows *rows, size_t offset)
{
    for (uint32_t i = 0; i < rows->count; i++)
        bytes_put(bytes, *(const uint64_t *)((const char *)&rows->list[i] + offset));
}

static void pack_rows(struct bytes *bytes, const struct page_rows *rows)
{
    static const size_t columns[] = {
        offsetof(struct page_row, peak.blocks),      offsetof(struct page_row, peak.bytes),
        offsetof(struct page_row, own_peak.blocks),  offsetof(struct page_row, own_peak.bytes),
        offsetof(struct page_row, end.blocks),       offsetof(struct page_row, end.bytes),
        offsetof(struct page_row, leaked.blocks),    offsetof(struct page_row, leaked.bytes),
        offsetof(struct page_row, temporary.blocks), offsetof(struct page_row, temporary.bytes),
        offsetof(struct page_row, allocations),      offsetof(struct page_row, allocated_bytes),
    };
    bytes_put(bytes, rows->count);
    int64_t before = 0;
    for (uint32_t i = 0; i < rows->count; i++) {
        bytes_put_signed(bytes, rows->list[i].node - before);
        before = rows->list[i].node;
    }
    for (uint32_t i = 0; i < rows->count; i++)
        bytes_put(bytes, rows->list[i].thread);
    for (uint32_t i = 0; i < rows->count; i++)
        bytes_put(bytes, rows->list[i].allocator);
    for (size_t i = 0; i < sizeof columns / sizeof *columns; i++)
        pack_column(bytes, rows, columns[i]);
}

void page_pack_tree(struct bytes *bytes, const struct page_rows *rows,
                    const struct page_names *names)
{
    page_names_put(names, rows, bytes);
    pack_nodes(bytes, &rows->tree, names);
    pack_rows(bytes, rows);
}

/* --- changes --- */

/* The changes bucket by bucket; several processes have changes in each. Sets what each has. */
static const struct change **changes_in_order(const struct changes *changes, size_t *counts,
                                              size_t buckets)
{
    const struct change **order = memory_new(changes->count, sizeof *order);
    CLEANUP(cleanup_free) size_t *next = memory_new(buckets + 1, sizeof *next);
    for (size_t i = 0; i < changes->count; i++)
        counts[changes->list[i].bucket]++;
    for (size_t i = 0; i < buckets; i++)
        next[i + 1] = next[i] + counts[i];
    for (size_t i = 0; i < changes->count; i++)
        order[next[changes->list[i].bucket]++] = &changes->list[i];
    return order;
}

static void pack_counts(struct bytes *bytes, const size_t *counts, size_t buckets)
{
    for (size_t i = 0; i < buckets; i++)
        bytes_put(bytes, counts[i]);
}

static void pack_changes(struct bytes *bytes, const struct changes *changes)
{
    size_t buckets = time_grid_buckets(changes->grid, changes->level), count = changes->count;
    CLEANUP(cleanup_free) size_t *counts = memory_new(buckets, sizeof *counts);
    CLEANUP(cleanup_free)
    const struct change **list = changes_in_order(changes, counts, buckets);
    pack_counts(bytes, counts, buckets);
    for (size_t i = 0; i < count; i++)
        bytes_put_signed(bytes, (int64_t)list[i]->row - (i ? list[i - 1]->row : 0));
    for (size_t i = 0; i < count; i++)
        bytes_put(bytes, list[i]->allocations);
    for (size_t i = 0; i < count; i++)
        bytes_put(bytes, list[i]->allocated_bytes);
    for (size_t i = 0; i < count; i++)
        bytes_put_signed(bytes, list[i]->blocks);
    for (size_t i = 0; i < count; i++)
        bytes_put_signed(bytes, list[i]->bytes);
}

/* --- deaths --- */

static int compare_deaths(const void *a, const void *b)
{
    const struct death *one = a, *other = b;
    return ORDER(one->died, other->died)
               ?: ORDER(one->row, other->row) ?: ORDER(other->born, one->born);
}

static void pack_deaths(struct bytes *bytes, struct changes *changes)
{
    size_t buckets = time_grid_buckets(changes->grid, changes->death_level);
    size_t count = changes->death_count;
    const struct death *list = changes->deaths;
    CLEANUP(cleanup_free) size_t *counts = memory_new(buckets, sizeof *counts);
    if (count)
        qsort(changes->deaths, count, sizeof *changes->deaths, compare_deaths);
    for (size_t i = 0; i < count; i++)
        counts[list[i].died]++;
    pack_counts(bytes, counts, buckets);
    for (size_t i = 0; i < count; i++)
        bytes_put_signed(bytes, (int64_t)list[i].row - (i ? list[i - 1].row : 0));
    for (size_t i = 0; i < count; i++)
        bytes_put(bytes, list[i].died - list[i].born);
    for (size_t i = 0; i < count; i++)
        bytes_put_signed(bytes, list[i].blocks);
    for (size_t i = 0; i < count; i++)
        bytes_put_signed(bytes, list[i].bytes);
}

/* --- edges --- */

static void pack_edges(struct bytes *bytes, const struct changes *changes)
{
    const struct time_grid *grid = changes->grid;
    uint64_t before = 0;
    bytes_put(bytes, time_grid_buckets(grid, changes->level) + 1);
    for (size_t i = 0; i < grid->count; i++) {
        if (grid->levels[i] < changes->level)
            continue;
        bytes_put(bytes, grid->edges[i] - before);
        before = grid->edges[i];
    }
}

static void pack_death_edges(struct bytes *bytes, const struct changes *changes)
{
    const struct time_grid *grid = changes->grid;
    uint64_t number = 0, before = 0;
    bytes_put(bytes, time_grid_buckets(grid, changes->death_level) + 1);
    for (size_t i = 0; i < grid->count; i++) {
        if (grid->levels[i] < changes->level)
            continue;
        if (grid->levels[i] >= changes->death_level) {
            bytes_put(bytes, number - before);
            before = number;
        }
        number++;
    }
}

void page_pack_history(struct bytes *bytes, struct changes *changes, const struct curves *curves)
{
    curves_put(curves, bytes);
    pack_edges(bytes, changes);
    pack_changes(bytes, changes);
    pack_death_edges(bytes, changes);
    pack_deaths(bytes, changes);
}
