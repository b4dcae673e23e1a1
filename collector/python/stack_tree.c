/*
 * Look-up and growth of the tree of stacks.
 *
 * A slot's place is given by the highest bits of the hash: when the table doubles, the old one is
 * read from front to back and the new one written from front to back, without a look at the nodes.
 * Probing goes upwards and wraps. Where that takes long another seed is taken, and every node
 * hashed again.
 */
#include "collector/python/stack_tree.h"

#include <string.h>

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
    *tree =
        (struct stack_tree){.log2_slots = LOG2_SLOTS_AT_FIRST, .seed = hash_seed_new(), .count = 1};
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

static uint32_t hash_of(const struct stack_tree *tree, uint32_t parent, uint32_t location)
{
    return (uint32_t)(hash_number(&tree->seed, stack_edge(parent, location)) >> 32);
}

/* In the first free slot. */
static void put_slot(const struct stack_tree *tree, struct node_slot put)
{
    struct node_slot *slots = slots_of(tree);
    uint32_t at = first_slot(tree, put.hash);
    while (slots[at].number)
        at = (at + 1) & slot_mask(tree);
    slots[at] = put;
}

static bool grow_slots(struct stack_tree *tree)
{
    struct stack_tree bigger = {.log2_slots = tree->log2_slots + 1};
    size_t old_count = (size_t)1 << tree->log2_slots;
    if (bigger.log2_slots > LOG2_SLOTS_MAX ||
        !vector_reserve(&bigger.slots, old_count * 2, sizeof(struct node_slot)))
        return false;
    const struct node_slot *old = slots_of(tree);
    for (size_t i = 0; i < old_count; i++)
        if (old[i].number)
            put_slot(&bigger, old[i]);
    vector_deinit(&tree->slots);
    tree->slots = bigger.slots;
    tree->log2_slots = bigger.log2_slots;
    return true;
}

/* Takes another seed. */
static void hash_again(struct stack_tree *tree)
{
    memset(tree->slots.data, 0, sizeof(struct node_slot) << tree->log2_slots);
    tree->seed = hash_seed_new();
    for (uint32_t number = 1; number < tree->count; number++) {
        const struct node *node = stack_tree_node(tree, number);
        put_slot(tree, (struct node_slot){hash_of(tree, node->parent, node->location), number});
    }
}

static uint32_t add_node(struct stack_tree *tree, uint32_t parent, uint32_t location)
{
    uint32_t number = tree->count;
    if (number == UINT32_MAX ||
        !vector_reserve(&tree->nodes, (size_t)number + 1, sizeof(struct node)))
        return 0;
    *stack_tree_node(tree, number) = (struct node){.parent = parent, .location = location};
    tree->count++;
    return number;
}

/* Where the child's slot is, or would be. */
static struct node_slot *find_slot(const struct stack_tree *tree, uint32_t parent,
                                   uint32_t location, uint32_t hash, uint32_t *steps)
{
    struct node_slot *slots = slots_of(tree);
    uint32_t mask = slot_mask(tree), at = first_slot(tree, hash);
    for (*steps = 0; slots[at].number; at = (at + 1) & mask, ++*steps) {
        const struct node *node = stack_tree_node(tree, slots[at].number);
        if (slots[at].hash == hash && node->parent == parent && node->location == location)
            break;
    }
    return &slots[at];
}

uint32_t stack_tree_find(struct stack_tree *tree, uint32_t parent, uint32_t location)
{
    uint32_t steps;
    if (tree->count > (slot_mask(tree) >> 2) * 3 && !grow_slots(tree))
        return 0;
    uint32_t hash = hash_of(tree, parent, location);
    struct node_slot *slot = find_slot(tree, parent, location, hash, &steps);
    uint32_t number = slot->number ? slot->number : add_node(tree, parent, location);
    if (!number)
        return 0;
    *slot = (struct node_slot){hash, number};
    if (hash_is_outworn(&tree->wasted, steps, tree->count))
        hash_again(tree);
    return number;
}
