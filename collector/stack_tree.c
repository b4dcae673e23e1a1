/*
 * Look-up and growth of the tree of stacks.
 */
#include "stack_tree.h"

#include <string.h>

#define SLOTS_AT_FIRST 8192u

bool stack_tree_init(struct stack_tree *tree)
{
    *tree = (struct stack_tree){.slot_mask = SLOTS_AT_FIRST - 1, .count = 1};
    if (vector_reserve(&tree->slots, SLOTS_AT_FIRST, sizeof(uint32_t)) &&
        vector_reserve(&tree->nodes, 1, sizeof(struct node)))
        return true;
    stack_tree_deinit(tree);
    return false;
}

void stack_tree_deinit(struct stack_tree *tree)
{
    vector_deinit(&tree->slots);
    vector_deinit(&tree->nodes);
}

static uint32_t hash(uint32_t parent, uint32_t location)
{
    uint64_t key = (uint64_t)parent << 32 | location;
    key *= UINT64_C(0x9e3779b97f4a7c15);
    key ^= key >> 29;
    return (uint32_t)(key * UINT64_C(0xbf58476d1ce4e5b9) >> 32);
}

static bool grow(struct stack_tree *tree)
{
    size_t slots = ((size_t)tree->slot_mask + 1) * 2;
    if (!vector_reserve(&tree->slots, slots, sizeof(uint32_t)))
        return false;
    uint32_t *slot = tree->slots.data;
    memset(slot, 0, slots * sizeof *slot);
    tree->slot_mask = (uint32_t)(slots - 1);
    for (uint32_t number = 1; number < tree->count; number++) {
        const struct node *node = stack_tree_node(tree, number);
        uint32_t at = hash(node->parent, node->location) & tree->slot_mask;
        while (slot[at])
            at = (at + 1) & tree->slot_mask;
        slot[at] = number;
    }
    return true;
}

static uint32_t add(struct stack_tree *tree, uint32_t parent, uint32_t location)
{
    uint32_t number = tree->count;
    if (number == UINT32_MAX ||
        !vector_reserve(&tree->nodes, (size_t)number + 1, sizeof(struct node)))
        return 0;
    *stack_tree_node(tree, number) = (struct node){.parent = parent, .location = location};
    tree->count++;
    return number;
}

uint32_t stack_tree_find(struct stack_tree *tree, uint32_t parent, uint32_t location)
{
    if (tree->count > tree->slot_mask / 4 * 3 && !grow(tree))
        return 0;
    uint32_t *slot = tree->slots.data;
    uint32_t at = hash(parent, location) & tree->slot_mask;
    for (; slot[at]; at = (at + 1) & tree->slot_mask) {
        const struct node *node = stack_tree_node(tree, slot[at]);
        if (node->parent == parent && node->location == location)
            break;
    }
    if (!slot[at])
        slot[at] = add(tree, parent, location);
    stack_tree_node(tree, parent)->last_child = slot[at];
    return slot[at];
}
