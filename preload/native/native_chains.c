/*
 * What a walk depends on: its first registers, the rules, and what it loads. Of the loads the
 * return addresses all count. A frame pointer counts where the way depends on it; then each level
 * says where it was saved (native_walk.c), or it is the register's.
 *
 * What is not simple (a signal's frame, a stack that was realigned) is not learned.
 */
#include "preload/native/native_chains.h"

#include <string.h>

#include "assertion.h"

#define SETS (WIRE_CHAINS / NATIVE_CHAIN_WAYS)

_Static_assert((SETS & (SETS - 1)) == 0, "a set is chosen by bits");
_Static_assert((NATIVE_WALKS_SEEN & (NATIVE_WALKS_SEEN - 1)) == 0, "so is one of these");

void native_chains_forget(struct native_chains *chains)
{
    for (uint32_t i = 0; chains->is_used && i < WIRE_CHAINS; i++)
        chains->chains[i].ip = 0;
    chains->is_used = false;
}

static uint32_t set_of(const struct native_registers *registers)
{
    uint64_t key = (registers->ip ^ registers->sp << 20) * UINT64_C(0x9e3779b97f4a7c15);
    return (uint32_t)(key >> 40) & (SETS - 1);
}

static bool is_there(const struct native_level *level)
{
    return *(const uintptr_t *)level->stack_slot == level->ip &&
           (!level->saved || *(const uintptr_t *)level->saved == level->frame);
}

/* The innermost level is the registers'. Frames near to it differ most often. */
static bool chain_holds(const struct native_chain *chain, const struct native_registers *registers)
{
    if (chain->ip != registers->ip || chain->sp != registers->sp)
        return false;
    uint32_t top = chain->count - 1;
    if (chain->flags[top] & NATIVE_BY_FRAME && chain->bp != registers->bp)
        return false;
    while (top-- > 0)
        if (!is_there(&chain->levels[top]))
            return false;
    return is_there(&chain->base) && chain->generation == native_rules_generation();
}

const struct native_chain *native_chains_find(const struct native_chains *chains,
                                              const struct native_registers *registers)
{
    const struct native_chain *set = &chains->chains[set_of(registers) * NATIVE_CHAIN_WAYS];
    for (uint32_t way = 0; way < NATIVE_CHAIN_WAYS; way++)
        if (chain_holds(&set[way], registers))
            return &set[way];
    return NULL;
}

/* The oldest of the set. */
static struct native_chain *chain_to_replace(struct native_chains *chains,
                                             const struct native_registers *registers)
{
    uint32_t set = set_of(registers);
    uint32_t way = chains->next[set]++ % NATIVE_CHAIN_WAYS;
    return &chains->chains[set * NATIVE_CHAIN_WAYS + way];
}

/* A chain that holds has these levels; does it stand on the same? */
static bool is_of(const struct native_chain *chain, const struct native_span *span)
{
    const struct native_level *base = &span->levels[-1];
    return chain->count == span->count && chain->loops == span->loops &&
           chain->base.stack_slot == base->stack_slot && chain->base.frame == base->frame &&
           chain->base.saved == base->saved && chain->base_flags == span->flags[-1];
}

static bool is_simple(const struct native_span *span)
{
    uint8_t all = NATIVE_SIMPLE;
    for (uint32_t i = 0; i < span->count; i++)
        all &= span->flags[i];
    return all;
}

/* Notes the walk; false: it was not among those noted lately. */
static bool was_seen(struct native_chains *chains, const struct native_span *span)
{
    uint64_t sum = span->levels[span->count - 1].stack_slot;
    for (uint32_t i = 0; i < span->count; i++)
        sum = (sum << 7 | sum >> 57) ^ span->levels[i].ip;
    uint32_t hash = (uint32_t)(sum * UINT64_C(0x9e3779b97f4a7c15) >> 32);
    uint32_t *seen = &chains->seen[hash & (NATIVE_WALKS_SEEN - 1)];
    bool was = *seen == hash;
    *seen = hash;
    return was;
}

static void chain_fill(struct native_chain *chain, const struct native_registers *registers,
                       const struct native_span *span)
{
    ASSERT(span->count > 0 && span->count <= sizeof chain->words / sizeof *chain->words);
    chain->ip = registers->ip;
    chain->sp = registers->sp;
    chain->bp = registers->bp;
    chain->generation = native_rules_generation();
    chain->count = span->count;
    chain->loops = span->loops;
    chain->base = span->levels[-1];
    chain->base_flags = span->flags[-1];
    memcpy(chain->levels, span->levels, span->count * sizeof *span->levels);
    memcpy(chain->flags, span->flags, span->count * sizeof *span->flags);
    memcpy(chain->words, span->words, span->count * sizeof *span->words);
}

struct native_chain *native_chains_learn(struct native_chains *chains,
                                         const struct native_registers *registers,
                                         const struct native_span *span, bool *is_new)
{
    *is_new = false;
    if (!is_simple(span))
        return NULL;
    const struct native_chain *same = native_chains_find(chains, registers);
    struct native_chain *chain = same ? &chains->chains[native_chain_number(chains, same)] : NULL;
    if (chain && is_of(chain, span))
        return chain;
    if (!chain && !was_seen(chains, span))
        return NULL;
    if (!chain)
        chain = chain_to_replace(chains, registers);
    chains->is_used = true; /* before: a jump may leave it half filled */
    chain_fill(chain, registers, span);
    *is_new = true;
    return chain;
}
