/*
 * Chains of native frames (CHAIN in schema/wire.h) as the reader keeps them, and what stack each of
 * them makes on top of another one.
 *
 * One thread.
 */
#ifndef HEAPLINE_COLLECTOR_NATIVE_CHAINS_H
#define HEAPLINE_COLLECTOR_NATIVE_CHAINS_H

#include <stdbool.h>
#include <stdint.h>

#include "wire.h"

struct run;
struct process;
struct native_mirror;
struct native_mirror_level;

struct native_chain {
    uint64_t identity; /* of this meaning, in the whole run; 0: it has none yet */
    uint16_t loops;    /* below its first frame, which is an evaluation loop's */
    uint16_t count;
    uint16_t valid; /* so many of its levels have the nodes that they have on top of `parent` */
    uint32_t parent;
    struct native_mirror_level *levels; /* room for WIRE_CHAIN_LEVELS_MAX, null before the first */
};

/* A place for a node that has been found. */
struct native_chain_node {
    uint64_t chain; /* identity; 0: free */
    uint32_t parent;
    uint32_t node;
};

/* Of a run. */
struct native_chain_nodes {
    uint64_t identities;            /* given so far */
    struct native_chain_node *list; /* null before the first */
};

/* A thread's chains, by number; made at the first one. */
struct native_chain *native_chains_free(struct native_chain *chains);

/* Remembers the thread's levels from `level` to below `depth` under a number. False: they are no
 * chain, or memory is short. */
bool native_chains_keep(struct run *run, struct native_mirror *mirror, uint32_t number,
                        uint32_t level, uint32_t depth);
/* Puts the levels at `level`. False: there is no such chain, or memory is short. */
bool native_chains_restore(struct native_mirror *mirror, uint32_t number, uint32_t level,
                           uint32_t depth);
/* What the addresses are called is to be asked anew. */
void native_chains_rename(struct run *run, struct native_mirror *mirror);

/* The node of the top chain's frames above the evaluation loop, on top of `parent`. */
uint32_t native_chain_node(struct run *run, struct process *process, struct native_mirror *mirror,
                           uint32_t parent);

#endif
