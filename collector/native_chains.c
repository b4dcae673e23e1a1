/*
 * A chain's frames are looked up in the tree once for each stack they stand on; where that was
 * lately is remembered in a small table, by chain and parent.
 */
#include "native_chains.h"

#include <stdlib.h>
#include <string.h>

#include "native_frames.h"
#include "native_stack.h"
#include "process.h"

#define LOG2_NODES 13u

struct native_chain *native_chains_free(struct native_chain *chains)
{
    for (uint32_t i = 0; chains && i < WIRE_CHAINS; i++)
        free(chains[i].levels);
    free(chains);
    return NULL;
}

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

bool native_chains_keep(struct run *run, struct native_mirror *mirror, uint32_t number,
                        uint32_t level)
{
    uint32_t count = mirror->depth - level;
    if (level >= mirror->depth || count > WIRE_CHAIN_LEVELS_MAX)
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
    chain->identity = ++run->native.chain_nodes.identities;
    chain->loops = levels[0].loops;
    chain->count = (uint16_t)count;
    memcpy(chain->levels, levels, count * sizeof *levels);
    mirror->top = chain;
    mirror->top_level = level;
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
    return true;
}

void native_chains_rename(struct run *run, struct native_mirror *mirror)
{
    for (uint32_t number = 0; mirror->chains && number < WIRE_CHAINS; number++) {
        struct native_chain *chain = &mirror->chains[number];
        for (uint32_t i = 0; i < chain->count; i++)
            chain->levels[i].frames = 0;
        if (chain->identity)
            chain->identity = ++run->native.chain_nodes.identities;
    }
}

/* --- nodes --------------------------------------------------------------------------------------
 */

static uint32_t find_node(struct run *run, struct process *process, struct native_chain *chain,
                          uint32_t node)
{
    for (uint32_t i = 1; i < chain->count; i++)
        node = native_level_node(run, process, &chain->levels[i], node);
    return node;
}

uint32_t native_chain_node(struct run *run, struct process *process, struct native_chain *chain,
                           uint32_t parent)
{
    struct native_chain_nodes *nodes = &run->native.chain_nodes;
    uint64_t key = chain->identity << 32 ^ parent;
    if (!nodes->list && !(nodes->list = calloc(1u << LOG2_NODES, sizeof *nodes->list)))
        return find_node(run, process, chain, parent);
    struct native_chain_node *known =
        &nodes->list[key * UINT64_C(0x9e3779b97f4a7c15) >> (64 - LOG2_NODES)];
    if (known->chain != chain->identity || known->parent != parent)
        *known = (struct native_chain_node){chain->identity, parent,
                                            find_node(run, process, chain, parent)};
    return known->node;
}
