/*
 * The tree of stacks of one run: node = (parent node, location). Node 0 is the empty stack.
 *
 * Nodes are numbered in order of appearance, so a parent's number is smaller. 12 bytes a node and
 * 11 to 22 of hash table. One thread at a time.
 */
#ifndef HEAPLINE_COLLECTOR_STACK_TREE_H
#define HEAPLINE_COLLECTOR_STACK_TREE_H

#include <stdbool.h>
#include <stdint.h>

#include "collector/base/vector.h"
#include "hash.h"

struct node {
    uint32_t parent;
    uint32_t location;
    uint32_t last_child; /* the child looked up last, 0: none */
};

/* A slot of the hash table. */
struct node_slot {
    uint32_t hash;
    uint32_t number; /* 0: free */
};

struct stack_tree {
    struct vector nodes; /* struct node */
    struct vector slots; /* struct node_slot, open addressing */
    unsigned log2_slots;
    struct hash_seed seed;
    uint64_t wasted; /* on long look-ups (hash.h) */
    uint32_t count;  /* nodes, including 0 */
};

bool stack_tree_init(struct stack_tree *tree);
void stack_tree_deinit(struct stack_tree *tree);

/* The child's number, made when new; 0 when there is no memory left. */
uint32_t stack_tree_find(struct stack_tree *tree, uint32_t parent, uint32_t location);

static inline struct node *stack_tree_node(const struct stack_tree *tree, uint32_t number)
{
    return (struct node *)tree->nodes.data + number;
}

static inline uint32_t stack_tree_child(struct stack_tree *tree, uint32_t parent, uint32_t location)
{
    uint32_t child = stack_tree_node(tree, parent)->last_child;
    if (__builtin_expect(child != 0, 1) && stack_tree_node(tree, child)->location == location)
        return child;
    return stack_tree_find(tree, parent, location);
}

#endif
