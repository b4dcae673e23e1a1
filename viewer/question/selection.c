/*
 * Picks the first rows of an order without sorting all of them, as there may be a million stacks
 * and ten are wanted: a heap of the best so far, with the worst of them on top, meets each of the
 * others once. Larger numbers come first; ties are broken by the rows' other numbers and then by
 * name.
 */
#include "viewer/question/selection.h"

#include <stdlib.h>

#include "viewer/base/order.h"

const char *const sort_names[] = {
    [SORT_BYTES] = "bytes",         [SORT_BLOCKS] = "blocks",
    [SORT_ALLOCATED] = "allocated", [SORT_ALLOCATIONS] = "allocations",
    [SORT_NAME] = "name",           NULL,
};

struct order {
    enum sort sort;
    const struct grouping *grouping;
};

/* The number that is asked for, then its like, then the other two; by name there are none. */
static int order_compare(const void *a, const void *b, void *context)
{
    const struct row *one = a, *other = b;
    const struct order *order = context;
    int bytes = ORDER(other->bytes, one->bytes), blocks = ORDER(other->blocks, one->blocks);
    int allocated = ORDER(other->allocated_bytes, one->allocated_bytes);
    int allocations = ORDER(other->allocations, one->allocations), by_number = 0;
    switch (order->sort) {
    case SORT_BYTES:
        by_number = bytes ?: blocks ?: allocated ?: allocations;
        break;
    case SORT_BLOCKS:
        by_number = blocks ?: bytes ?: allocations ?: allocated;
        break;
    case SORT_ALLOCATED:
        by_number = allocated ?: allocations ?: bytes ?: blocks;
        break;
    case SORT_ALLOCATIONS:
        by_number = allocations ?: allocated ?: blocks ?: bytes;
        break;
    case SORT_NAME:
        break;
    }
    return by_number ?: grouping_compare(order->grouping, one->key, other->key);
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
