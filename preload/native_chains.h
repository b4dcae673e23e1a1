/*
 * Native frames that were walked before, found again without a walk.
 *
 * A *chain* is the frames from a hook's caller down to an evaluation loop of the interpreter. It
 * begins with the registers of the caller, and remembers whatever the walk has read
 * from the stack: return addresses, and frame pointers that a step has used. Where the registers
 * and all of that are the same again, so is the walk, for the rest of it is fixed by the rules. So
 * a chain is found by comparing a few words instead of looking up a rule for each frame.
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

#define NATIVE_CHAIN_WAYS      4u
#define NATIVE_CHAIN_LOADS_MAX 6u

/* A place in the stack and what lies there. */
struct native_load {
    uintptr_t place;
    uintptr_t value;
};

struct native_chain {
    uintptr_t ip, sp; /* 0 in ip: no chain */
    uintptr_t bp;     /* counts where the walk depends on it */
    uint32_t generation;
    uint8_t count, load_count;
    bool uses_bp;
    uint64_t loops;          /* evaluation loops below its own */
    struct native_load base; /* the return address of the frame that it stands on */
    /* Innermost first: */
    struct native_load returns[WIRE_CHAIN_LEVELS_MAX];
    struct native_load frames[NATIVE_CHAIN_LOADS_MAX]; /* saved frame pointers */
    uint64_t words[WIRE_CHAIN_LEVELS_MAX];             /* as the reader gets them */
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

/* Walks `count` frames from the registers to `base` and makes a chain of them, which gets no words
 * and no loops. Null where the walk cannot be remembered. */
struct native_chain *native_chains_learn(struct native_chains *chains,
                                         const struct native_registers *registers, uint32_t count,
                                         struct native_load base, uintptr_t limit);

static inline uint32_t native_chain_number(const struct native_chains *chains,
                                           const struct native_chain *chain)
{
    return (uint32_t)(chain - chains->chains);
}

#endif
