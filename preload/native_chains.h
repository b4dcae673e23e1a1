/*
 * Native frames that were walked before, found again without a walk.
 *
 * A *chain* is the frames from a hook's caller down to an evaluation loop of the interpreter. It
 * begins with the registers of the caller, and remembers whatever the walk has read from the stack:
 * return addresses, and frame pointers that the way depends on. Where the registers and all of that
 * are the same again, so is the walk, for the rest of it is fixed by the rules. So a chain is found
 * by comparing a few words instead of looking up a rule for each frame.
 *
 * A thread has its own chains, in sets of four; a new one takes the place of the oldest of its set.
 * Chains are void once rules are (native_rules_generation()).
 */
#ifndef HEAPLINE_PRELOAD_NATIVE_CHAINS_H
#define HEAPLINE_PRELOAD_NATIVE_CHAINS_H

#include <stdbool.h>
#include <stdint.h>

#include "native_rules.h"
#include "wire.h"

#define NATIVE_CHAIN_WAYS 4u

struct native_level {
    uintptr_t place; /* where the return address lies, */
    uintptr_t ip;    /* and the address */
    uintptr_t frame; /* the frame pointer there */
    uintptr_t saved; /* where it was saved, if the way on depends on it; else 0 */
};

struct native_chain {
    uintptr_t ip, sp; /* 0 in ip: no chain */
    uintptr_t bp;
    uint32_t generation;
    uint32_t count;
    uint64_t loops; /* evaluation loops below its own */
    /* What Python knows of the loop: its level, and where it keeps what it has begun with. */
    uint32_t loop_level;
    uintptr_t loop_frame;
    struct native_level base; /* what it stands on */
    bool base_by_frame;
    /* Outermost first, the loop's: */
    bool by_frame[WIRE_CHAIN_LEVELS_MAX]; /* the way on depends on the frame pointer */
    struct native_level levels[WIRE_CHAIN_LEVELS_MAX];
    uint64_t words[WIRE_CHAIN_LEVELS_MAX]; /* as the reader gets them */
};

struct native_chains {
    bool is_used; /* there may be chains */
    struct native_chain chains[WIRE_CHAINS];
    uint8_t next[WIRE_CHAINS / NATIVE_CHAIN_WAYS]; /* way of a set that is replaced next */
};

/* All of them are void. */
void native_chains_forget(struct native_chains *chains);

/* The chain that begins with these registers and still holds, down to its base; null: none. sp lies
 * in the thread's own stack. */
const struct native_chain *native_chains_find(const struct native_chains *chains,
                                              const struct native_registers *registers);

/* Makes a chain of the `count` levels that a walk from the registers has just left; what they stand
 * on is in front of them. The caller sets the rest. Null where the walk cannot be remembered. */
struct native_chain *native_chains_learn(struct native_chains *chains,
                                         const struct native_registers *registers, uint32_t count,
                                         const struct native_level *levels, const bool *by_frame);

static inline uint32_t native_chain_number(const struct native_chains *chains,
                                           const struct native_chain *chain)
{
    return (uint32_t)(chain - chains->chains);
}

#endif
