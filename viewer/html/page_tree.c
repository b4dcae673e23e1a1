/*
 * Nodes are found by (parent, place) in a hash table, so that growing a tree and folding it are the
 * same operation.
 */
#include "viewer/html/page_tree.h"

#include <stdlib.h>

#include "viewer/base/memory.h"

static uint32_t page_tree_add(struct page_tree *tree, uint32_t parent, uint32_t place)
{
    tree->parent = memory_room(tree->parent, tree->count, sizeof *tree->parent);
    tree->place = memory_room(tree->place, tree->count, sizeof *tree->place);
    tree->parent[tree->count] = parent;
    tree->place[tree->count] = place;
    return tree->count++;
}

void page_tree_init(struct page_tree *tree)
{
    *tree = (struct page_tree){0};
    page_tree_add(tree, 0, PLACE_NONE);
}

void page_tree_deinit(struct page_tree *tree)
{
    free(tree->parent);
    free(tree->place);
    index_deinit(&tree->children);
    *tree = (struct page_tree){0};
}

uint32_t page_tree_child(struct page_tree *tree, uint32_t parent, uint32_t place)
{
    uint32_t node = index_add(&tree->children, (uint64_t)parent << 32 | place, tree->count);
    return node == tree->count ? page_tree_add(tree, parent, place) : node;
}
