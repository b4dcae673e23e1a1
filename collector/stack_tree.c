/*
 * Look-up and growth of the tree of stacks.
 *
 * A slot's place is given by the highest bits of the hash: when the table doubles, the old one is
 * read from front to back and the new one written from front to back, without a look at the nodes.
 * Probing goes upwards and wraps.
 */
#include "stack_tree.h"

#define LOG2_SLOTS_AT_FIRST 13u
#define LOG2_SLOTS_MAX      32u

static struct node_slot *slots_of(const struct stack_tree *tree)
{
    return tree->slots.data;
}

static uint32_t slot_mask(const struct stack_tree *tree)
{
    return (uint32_t)((UINT64_C(1) << tree->log2_slots) - 1);
}

static uint32_t first_slot(const struct stack_tree *tree, uint32_t hash)
{
    return hash >> (32 - tree->log2_slots);
}

bool stack_tree_init(struct stack_tree *tree)
{
    *tree = (struct stack_tree){.log2_slots = LOG2_SLOTS_AT_FIRST, .count = 1};
    if (vector_reserve(&tree->slots, (size_t)1 << LOG2_SLOTS_AT_FIRST, sizeof(struct node_slot)) &&
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

static uint32_t hash_of(uint32_t parent, uint32_t location)
{
    uint64_t key = (uint64_t)parent << 32 | location;
    key *= UINT64_C(0x9e3779b97f4a7c15);
    key ^= key >> 29;
    return (uint32_t)(key * UINT64_C(0xbf58476d1ce4e5b9) >> 32);
}

static bool grow(struct stack_tree *tree)
{
    struct stack_tree bigger = {.log2_slots = tree->log2_slots + 1};
    size_t old_count = (size_t)1 << tree->log2_slots;
    if (bigger.log2_slots > LOG2_SLOTS_MAX ||
        !vector_reserve(&bigger.slots, old_count * 2, sizeof(struct node_slot)))
        return false;
    const struct node_slot *old = slots_of(tree);
    struct node_slot *slots = slots_of(&bigger);
    uint32_t mask = slot_mask(&bigger);
    for (size_t i = 0; i < old_count; i++) {
        if (!old[i].number)
            continue;
        uint32_t at = first_slot(&bigger, old[i].hash);
        while (slots[at].number)
            at = (at + 1) & mask;
        slots[at] = old[i];
    }
    vector_deinit(&tree->slots);
    tree->slots = bigger.slots;
    tree->log2_slots = bigger.log2_slots;
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
    if (tree->count > (slot_mask(tree) >> 2) * 3 && !grow(tree))
        return 0;
    struct node_slot *slots = slots_of(tree);
    uint32_t hash = hash_of(parent, location), mask = slot_mask(tree);
    uint32_t at = first_slot(tree, hash);
    for (; slots[at].number; at = (at + 1) & mask) {
        if (slots[at].hash != hash)
            continue;
        const struct node *node = stack_tree_node(tree, slots[at].number);
        if (node->parent == parent && node->location == location)
            break;
    }
    if (!slots[at].number) {
        uint32_t number = add(tree, parent, location);
        if (!number)
            return 0;
        slots[at] = (struct node_slot){hash, number};
    }
    stack_tree_node(tree, parent)->last_child = slots[at].number;
    return slots[at].number;
}
