/*
 * Folding. A node weighs at least what each node below it does and has a smaller key, so that in
 * the order of weight and key any beginning is a tree. Each kept node may have a remainder beside
 * what is its own; that is why only half as many are kept as there may be.
 */
#include "viewer/question/fold.h"

#include <stdlib.h>
#include <string.h>

#include "viewer/base/memory.h"
#include "viewer/base/order.h"

static uint32_t parent_of(const struct grouping *grouping, uint32_t key)
{
    return grouping->keys[grouping->recording->stacks.parent[key]];
}

/* Adds up from the leaves; returns how many frames the stacks of all rows have. */
static size_t nodes_weigh(struct fold *fold, const struct answer *answer, fold_weight *weight)
{
    const struct grouping *grouping = &answer->grouping;
    size_t frames = 0;
    for (uint32_t key = 1; key < grouping->key_count; key++)
        fold->depths[key] = fold->depths[parent_of(grouping, key)] + 1;
    for (size_t i = 0; i < answer->row_count; i++) {
        uint64_t own = weight(&answer->rows[i]);
        fold->totals[answer->rows[i].key] = own;
        frames += own ? fold->depths[answer->rows[i].key] : 0;
    }
    for (uint32_t key = grouping->key_count; key-- > 1;)
        if (fold->totals[key])
            fold->totals[parent_of(grouping, key)] += fold->totals[key];
    return frames;
}

static int compare_nodes(const void *a, const void *b, void *context)
{
    const uint64_t *totals = context;
    uint32_t one = *(const uint32_t *)a, other = *(const uint32_t *)b;
    return ORDER(totals[other], totals[one]) ?: ORDER(one, other);
}

/* Puts the nodes that weigh something in order. */
static void sort_nodes(struct fold *fold, uint32_t key_count)
{
    fold->kept = memory_new(key_count, sizeof *fold->kept);
    fold->kept[fold->kept_count++] = 0;
    for (uint32_t key = 1; key < key_count; key++)
        if (fold->totals[key])
            fold->kept[fold->kept_count++] = key;
    qsort_r(fold->kept, fold->kept_count, sizeof *fold->kept, compare_nodes, fold->totals);
}

static void fold_cut(struct fold *fold, const struct fold_limits *limits)
{
    size_t frames = 0, nodes = 1;
    for (; nodes < fold->kept_count && nodes < limits->nodes / 2; nodes++) {
        frames += 2 * (size_t)fold->depths[fold->kept[nodes]] + 1;
        if (frames > limits->frames)
            break;
    }
    fold->kept_count = nodes;
}

static void find_stands(struct fold *fold, const struct grouping *grouping)
{
    fold->stands = memory_new(grouping->key_count, sizeof *fold->stands);
    for (size_t i = 0; i < fold->kept_count; i++)
        fold->stands[fold->kept[i]] = fold->kept[i];
    for (uint32_t key = 1; key < grouping->key_count; key++)
        if (!fold->stands[key])
            fold->stands[key] = fold->stands[parent_of(grouping, key)];
}

void fold_init(struct fold *fold, const struct answer *answer, fold_weight *weight,
               const struct fold_limits *limits)
{
    uint32_t key_count = answer->grouping.key_count;
    *fold = (struct fold){
        .totals = memory_new(key_count, sizeof *fold->totals),
        .depths = memory_new(key_count, sizeof *fold->depths),
    };
    size_t frames = nodes_weigh(fold, answer, weight);
    sort_nodes(fold, key_count);
    if (fold->kept_count > limits->nodes || frames > limits->frames)
        fold_cut(fold, limits);
    find_stands(fold, &answer->grouping);
}

void fold_deinit(struct fold *fold)
{
    free(fold->totals);
    free(fold->depths);
    free(fold->stands);
    free(fold->kept);
}
