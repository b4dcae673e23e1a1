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

#include "collector/native/native_mirror.h"

struct native_space;
struct stacks;

/* Remembers the thread's levels from `level` to below `depth` under a number. False: they are no
 * chain, or memory is short. */
bool native_chains_keep(struct stacks *stacks, struct native_mirror *mirror, uint32_t number,
                        uint32_t level, uint32_t depth);
/* Puts the levels at `level`. False: there is no such chain, or memory is short. */
bool native_chains_restore(struct native_mirror *mirror, uint32_t number, uint32_t level,
                           uint32_t depth);
/* What the addresses are called is to be asked anew. */
void native_chains_rename(struct stacks *stacks, struct native_mirror *mirror);

/* The node of the top chain's frames above the evaluation loop, on top of `parent`. */
uint32_t native_chain_node(struct stacks *stacks, struct native_space *space,
                           struct native_mirror *mirror, uint32_t parent);

#endif
