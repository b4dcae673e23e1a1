/*
 * One pass, parents first, says of every node where its stack leaves what is kept; the places of
 * what has been left out are made as they are asked for, so that none is without a use.
 */
#include "viewer/html/page_fold.h"

#include <stdlib.h>

#include "viewer/base/memory.h"

void page_fold_init(struct page_fold *fold, struct page_tree *tree, const uint32_t *parent,
                    const uint32_t *place, const bool *kept, size_t count)
{
    *fold = (struct page_fold){.tree = tree, .place = place, .kept = kept, .keeps_lines = true};
    fold->outer = memory_new(count, sizeof *fold->outer);
    for (size_t node = 1; node < count; node++) {
        uint32_t outer = fold->outer[parent[node]];
        fold->outer[node] = kept[node] ? page_tree_child(tree, outer, place[node]) : outer;
    }
}

void page_fold_init_same(struct page_fold *fold, struct page_tree *tree, const bool *kept,
                         uint32_t count)
{
    *fold = (struct page_fold){.tree = tree, .kept = kept, .keeps_lines = true};
    fold->outer = memory_new(count, sizeof *fold->outer);
    for (uint32_t node = 1; node < count; node++)
        fold->outer[node] = kept[node] ? node : fold->outer[tree->parent[node]];
}

void page_fold_deinit(struct page_fold *fold)
{
    free(fold->outer);
}

uint32_t page_fold_node(struct page_fold *fold, uint32_t node)
{
    struct page_tree *tree = fold->tree;
    uint32_t outer = fold->outer[node];
    if (fold->kept[node])
        return outer;
    uint32_t place = fold->place ? fold->place[node] : tree->place[node];
    uint32_t folded =
        tree->place[outer] == PLACE_FOLDED ? outer : page_tree_child(tree, outer, PLACE_FOLDED);
    return fold->keeps_lines && place != PLACE_FOLDED ? page_tree_child(tree, folded, place)
                                                      : folded;
}
