/*
 * A chain's frames are looked up in the tree once for each stack they stand on; where that was
 * lately is remembered in a small table, by chain and parent, and with the levels themselves. So a
 * new chain that begins like the one before it has the nodes of what they have in common.
 */
#include "collector/native/native_chains.h"

#include <stdlib.h>
#include <string.h>

#include "collector/native/native_frames.h"

#define LOG2_NODES 13u

/* The chain of a number, with room for levels. */
static struct native_chain *chain_at(struct native_mirror *mirror, uint32_t number)
{
    if (!mirror->chains)
        mirror->chains = calloc(WIRE_CHAINS, sizeof *mirror->chains);
    if (!mirror->chains || number >= WIRE_CHAINS)
        return NULL;
    struct native_chain *chain = &mirror->chains[number];
    if (!chain->levels)
        chain->levels = malloc(WIRE_CHAIN_LEVELS_MAX * sizeof *chain->levels);
    return chain->levels ? chain : NULL;
}

/* A chain has just been made of the innermost levels. */
static void keep_top(struct native_mirror *mirror, struct native_chain *chain, uint32_t level)
{
    struct native_above_loop *above = &mirror->above;
    if (above->level != level || above->valid <= level)
        *above = (struct native_above_loop){.level = level};
    if (above->valid > mirror->depth)
        above->valid = mirror->depth;
    if (above->valid) {
        chain->parent = above->parent;
        chain->valid = (uint16_t)(above->valid - level);
    }
    mirror->top = chain;
    mirror->top_level = level;
}

bool native_chains_keep(struct stacks *stacks, struct native_mirror *mirror, uint32_t number,
                        uint32_t level, uint32_t depth)
{
    uint32_t count = depth - level;
    if (level >= depth || depth > mirror->depth || count > WIRE_CHAIN_LEVELS_MAX)
        return false;
    const struct native_mirror_level *levels = &mirror->levels[level];
    if (!levels[0].is_loop)
        return false;
    for (uint32_t i = 1; i < count; i++)
        if (levels[i].is_loop || levels[i].loops != levels[0].loops + 1)
            return false;
    struct native_chain *chain = chain_at(mirror, number);
    if (!chain)
        return false;
    chain->identity = ++stacks->native.chain_nodes.identities;
    chain->loops = levels[0].loops;
    chain->count = (uint16_t)count;
    chain->valid = 0;
    memcpy(chain->levels, levels, count * sizeof *levels);
    if (mirror->top == chain)
        mirror->top = NULL;
    if (depth == mirror->depth)
        keep_top(mirror, chain, level);
    return true;
}

bool native_chains_restore(struct native_mirror *mirror, uint32_t number, uint32_t level,
                           uint32_t depth)
{
    struct native_chain *chain =
        mirror->chains && number < WIRE_CHAINS ? &mirror->chains[number] : NULL;
    if (!chain || !chain->identity || level + chain->count != depth ||
        depth > WIRE_NATIVE_LEVELS_MAX || !native_mirror_reserve(mirror, depth))
        return false;
    native_mirror_put(mirror, level, &chain->levels[0]);
    native_mirror_change(mirror, level + 1, chain->loops + 1u);
    memcpy(&mirror->levels[level + 1], &chain->levels[1],
           (chain->count - 1u) * sizeof *chain->levels);
    mirror->depth = depth;
    mirror->top = chain;
    mirror->top_level = level;
    mirror->above = (struct native_above_loop){
        .level = level, .valid = chain->valid ? level + chain->valid : 0, .parent = chain->parent};
    return true;
}

void native_chains_rename(struct stacks *stacks, struct native_mirror *mirror)
{
    for (uint32_t number = 0; mirror->chains && number < WIRE_CHAINS; number++) {
        struct native_chain *chain = &mirror->chains[number];
        chain->valid = 0;
        if (chain->identity)
            chain->identity = ++stacks->native.chain_nodes.identities;
    }
}

/* --- nodes --------------------------------------------------------------------------------------
 */

/* Makes the nodes of the levels above the loop, as far as they are not there, and remembers them
 * with the chain. */
static uint32_t find_node(struct stacks *stacks, struct native_space *space,
                          struct native_mirror *mirror, uint32_t parent)
{
    struct native_chain *chain = mirror->top;
    struct native_above_loop *above = &mirror->above;
    struct native_mirror_level *levels = &mirror->levels[above->level];
    bool known = above->parent == parent && above->valid > above->level + 1;
    uint32_t at = known ? above->valid - above->level : 1;
    uint32_t node = known ? levels[at - 1].node : parent;
    for (; at < chain->count; at++)
        levels[at].node = node = native_level_node(stacks, space, &levels[at], node);
    memcpy(&chain->levels[1], &levels[1], (chain->count - 1u) * sizeof *levels);
    chain->valid = chain->count;
    chain->parent = above->parent = parent;
    above->valid = above->level + chain->count;
    return node;
}

uint32_t native_chain_node(struct stacks *stacks, struct native_space *space,
                           struct native_mirror *mirror, uint32_t parent)
{
    struct native_chain_nodes *nodes = &stacks->native.chain_nodes;
    const struct native_chain *chain = mirror->top;
    uint64_t key = chain->identity << 32 ^ parent;
    if (mirror->above.parent == parent && mirror->above.valid == mirror->depth && chain->count > 1)
        return mirror->levels[mirror->depth - 1].node;
    if (!nodes->list && !(nodes->list = calloc(1u << LOG2_NODES, sizeof *nodes->list)))
        return find_node(stacks, space, mirror, parent);
    struct native_chain_node *known =
        &nodes->list[key * UINT64_C(0x9e3779b97f4a7c15) >> (64 - LOG2_NODES)];
    if (known->chain != chain->identity || known->parent != parent)
        *known = (struct native_chain_node){chain->identity, parent,
                                            find_node(stacks, space, mirror, parent)};
    return known->node;
}
