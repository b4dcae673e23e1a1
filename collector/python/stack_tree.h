/*
 * The tree of stacks of one run: node = (parent node, location). Node 0 is the empty stack.
 *
 * Nodes are numbered in order of appearance, so a parent's number is smaller. 8 bytes a node and
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
};

/* A child that was looked up lately. Most look-ups are of few, in turn. */
struct recent_child {
    uint64_t edge; /* stack_edge(); 0: none */
    uint32_t child;
};
#define RECENT_CHILDREN_LOG2 10u

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
    struct recent_child recent[1u << RECENT_CHILDREN_LOG2];
};

bool stack_tree_init(struct stack_tree *tree);
void stack_tree_deinit(struct stack_tree *tree);

/* The child's number, made when new; 0 when there is no memory left. */
uint32_t stack_tree_find(struct stack_tree *tree, uint32_t parent, uint32_t location);

static inline struct node *stack_tree_node(const struct stack_tree *tree, uint32_t number)
{
    return (struct node *)tree->nodes.data + number;
}

/* Where a child hangs, by its parent and its location, which is not 0. */
static inline uint64_t stack_edge(uint32_t parent, uint32_t location)
{
    return (uint64_t)parent << 32 | location;
}

static inline struct recent_child *stack_tree_recent(struct stack_tree *tree, uint64_t edge)
{
    uint32_t mixed = (uint32_t)(edge >> 32) ^ (uint32_t)edge << 16;
    return &tree->recent[hash_place(mixed, RECENT_CHILDREN_LOG2)];
}

static inline uint32_t stack_tree_child(struct stack_tree *tree, uint32_t parent, uint32_t location)
{
    uint64_t edge = stack_edge(parent, location);
    struct recent_child *recent = stack_tree_recent(tree, edge);
    if (__builtin_expect(recent->edge == edge, 1))
        return recent->child;
    uint32_t child = stack_tree_find(tree, parent, location);
    if (child)
        *recent = (struct recent_child){edge, child};
    return child;
}

#endif
