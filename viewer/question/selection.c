/*
 * Picks the first rows of an order without sorting all of them, as there may be a million stacks
 * and ten are wanted: a heap of the best so far, with the worst of them on top, meets each of the
 * others once. Larger numbers come first; ties are broken by the rows' other numbers and then by
 * name.
 */
#include "viewer/question/selection.h"

#include <stdlib.h>

const char *const sort_names[] = {
    [SORT_BYTES] = "bytes",         [SORT_BLOCKS] = "blocks",
    [SORT_ALLOCATED] = "allocated", [SORT_ALLOCATIONS] = "allocations",
    [SORT_NAME] = "name",           NULL,
};

struct order {
    enum sort sort;
    const struct grouping *grouping;
};

/* The numbers of a row, the most important one first. By name there are none. */
struct numbers {
    size_t count;
    uint64_t values[4];
};

static struct numbers row_numbers(const struct row *row, enum sort sort)
{
    uint64_t bytes = row->bytes, blocks = row->blocks;
    uint64_t allocated = row->allocated_bytes, allocations = row->allocations;
    switch (sort) {
    case SORT_BYTES:
        return (struct numbers){4, {bytes, blocks, allocated, allocations}};
    case SORT_BLOCKS:
        return (struct numbers){4, {blocks, bytes, allocations, allocated}};
    case SORT_ALLOCATED:
        return (struct numbers){4, {allocated, allocations, bytes, blocks}};
    case SORT_ALLOCATIONS:
        return (struct numbers){4, {allocations, allocated, blocks, bytes}};
    case SORT_NAME:
        break;
    }
    return (struct numbers){0};
}

static int order_compare(const void *a, const void *b, void *context)
{
    const struct row *one = a, *other = b;
    const struct order *order = context;
    struct numbers ones = row_numbers(one, order->sort);
    struct numbers others = row_numbers(other, order->sort);
    for (size_t i = 0; i < ones.count; i++)
        if (ones.values[i] != others.values[i])
            return ones.values[i] < others.values[i] ? 1 : -1;
    return grouping_compare(order->grouping, one->key, other->key);
}

static void rows_swap(struct row *a, struct row *b)
{
    struct row row = *a;
    *a = *b;
    *b = row;
}

/* Restores the heap below a row that may come too early for its place. */
static void heap_sink(struct row *heap, size_t count, size_t at, struct order *order)
{
    for (size_t child; (child = 2 * at + 1) < count; at = child) {
        if (child + 1 < count && order_compare(&heap[child + 1], &heap[child], order) > 0)
            child++;
        if (order_compare(&heap[child], &heap[at], order) <= 0)
            return;
        rows_swap(&heap[child], &heap[at]);
    }
}

void rows_select(struct row *rows, size_t count, size_t limit, enum sort sort,
                 const struct grouping *grouping)
{
    struct order order = {sort, grouping};
    if (limit < count) {
        for (size_t at = limit / 2; at-- > 0;)
            heap_sink(rows, limit, at, &order);
        for (size_t i = limit; i < count; i++) {
            if (order_compare(&rows[i], &rows[0], &order) >= 0)
                continue;
            rows_swap(&rows[i], &rows[0]);
            heap_sink(rows, limit, 0, &order);
        }
        count = limit;
    }
    qsort_r(rows, count, sizeof *rows, order_compare, &order);
}
