/*
 * Cumulated sums in time proportional to the number of nodes, however deep the stacks are.
 *
 * First every node's sums are added to its parent's, from the last node to the first, as parents
 * are smaller than their children. A key's sum is then that of all nodes that have it and no
 * ancestor that has it too (an inner call of a recursion is already part of the outer one's).
 * Whether an ancestor has it is known during a walk in depth-first order, which counts for each key
 * how often it stands on the path. The walk keeps its place in the tree itself, needs no stack and
 * cannot overflow one.
 */
#include "viewer/question/cumulative.h"

#include <stdlib.h>

#include "viewer/base/memory.h"

/* The tree from above. 0 stands for none, as node 0 is nobody's child. */
struct children {
    uint32_t *first;
    uint32_t *next;
};

static void children_init(struct children *children, const struct stacks *stacks)
{
    children->first = memory_new(stacks->count, sizeof *children->first);
    children->next = memory_new(stacks->count, sizeof *children->next);
    for (size_t node = stacks->count; node-- > 1;) {
        uint32_t *first = &children->first[stacks->parent[node]];
        children->next[node] = *first;
        *first = (uint32_t)node;
    }
}

static void children_deinit(struct children *children)
{
    free(children->first);
    free(children->next);
}

/* Visits all nodes but the empty stack, depth first. */
static void cumulative_walk(struct row *rows, const struct row *nodes,
                            const struct grouping *grouping, const struct children *children)
{
    const struct stacks *stacks = &grouping->recording->stacks;
    uint32_t *on_path = memory_new(grouping->key_count, sizeof *on_path);
    for (uint32_t node = children->first[0]; node;) {
        uint32_t key = grouping->keys[stacks->location[node]];
        if (on_path[key]++ == 0)
            row_add(&rows[key], &nodes[node]);
        if (children->first[node]) {
            node = children->first[node];
            continue;
        }
        for (; node; node = stacks->parent[node]) {
            on_path[grouping->keys[stacks->location[node]]]--;
            if (children->next[node])
                break;
        }
        node = children->next[node];
    }
    free(on_path);
}

void cumulative_add(struct row *rows, struct row *nodes, const struct grouping *grouping)
{
    const struct stacks *stacks = &grouping->recording->stacks;
    row_add(&rows[grouping->keys[0]], &nodes[0]);
    for (size_t node = stacks->count; node-- > 1;)
        row_add(&nodes[stacks->parent[node]], &nodes[node]);
    struct children children;
    children_init(&children, stacks);
    cumulative_walk(rows, nodes, grouping, &children);
    children_deinit(&children);
}
