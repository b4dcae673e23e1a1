/*
 * Native frames that were walked before, found again without a walk.
 *
 * A *chain* is the frames down to an evaluation loop of the interpreter, from a hook's caller or
 * from the frame that the next loop inwards stands on. It begins with the registers of its
 * innermost frame, and remembers whatever the walk has read from the stack: return addresses, and
 * frame pointers that the way depends on. Where the registers and all of that are the same again,
 * so is the walk, for the rest of it is fixed by the rules. So a chain is found by comparing a few
 * words instead of looking up a rule for each frame.
 *
 * A thread has its own chains, in sets of four; a new one takes the place of the oldest of its set.
 * What has been walked once alone is not learned: recursive C makes stacks that never come again.
 * Chains are void once rules are (native_rules_generation()).
 */
#ifndef HEAPLINE_PRELOAD_NATIVE_CHAINS_H
#define HEAPLINE_PRELOAD_NATIVE_CHAINS_H

#include <stdbool.h>
#include <stdint.h>

#include "preload/native/native_rules.h"
#include "wire.h"

#define NATIVE_CHAIN_WAYS 4u

#define NATIVE_WALKS_SEEN 1024u

struct native_level {
    uintptr_t stack_slot; /* where the return address lies, */
    uintptr_t ip;         /* and the address */
    uintptr_t frame;      /* the frame pointer there */
    uintptr_t saved;      /* where it was saved, if the way on depends on it; else 0 */
};

enum native_level_flags {
    NATIVE_BY_FRAME = 1, /* the way on depends on the frame pointer */
    /* Its rule is a simple one, and says whether it is a loop's: one that had not begun may have
     * when it is met again. */
    NATIVE_SIMPLE = 2,
};

/* Levels as a walk has left them, outermost first; what they stand on is in front of them. */
struct native_span {
    uint32_t count;
    uint64_t loops; /* evaluation loops below them */
    const struct native_level *levels;
    const uint8_t *flags;
    const uint64_t *words; /* as the reader gets them */
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
    uint8_t base_flags;
    /* Outermost first, the loop's: */
    uint8_t flags[WIRE_CHAIN_LEVELS_MAX];
    struct native_level levels[WIRE_CHAIN_LEVELS_MAX];
    uint64_t words[WIRE_CHAIN_LEVELS_MAX];
};

struct native_chains {
    bool is_used; /* there may be chains */
    struct native_chain chains[WIRE_CHAINS];
    uint8_t next[WIRE_CHAINS / NATIVE_CHAIN_WAYS]; /* way of a set that is replaced next */
    uint32_t seen[NATIVE_WALKS_SEEN];              /* hashes of walks that were not learned */
};

/* All of them are void. */
void native_chains_forget(struct native_chains *chains);

/* The chain that begins with these registers and still holds, down to its base; null: none. sp lies
 * in the thread's own stack. */
const struct native_chain *native_chains_find(const struct native_chains *chains,
                                              const struct native_registers *registers);

/* The registers of the frame that a chain stands on. */
static inline struct native_registers native_chain_base(const struct native_chain *chain)
{
    return (struct native_registers){.ip = chain->base.ip,
                                     .sp = chain->base.stack_slot + NATIVE_RETURN_BYTES,
                                     .bp = chain->base.frame};
}

/* The chain of what a walk from the registers has just left; *is_new when it was none before, and
 * the caller sets where Python knows of its loop. Null where it cannot be remembered, or was seen
 * for the first time. */
struct native_chain *native_chains_learn(struct native_chains *chains,
                                         const struct native_registers *registers,
                                         const struct native_span *span, bool *is_new);

static inline uint32_t native_chain_number(const struct native_chains *chains,
                                           const struct native_chain *chain)
{
    return (uint32_t)(chain - chains->chains);
}

#endif
