/*
 * What a walk depends on: its first registers, the rules, and what it loads. Of the loads the
 * return addresses all count. A frame pointer counts where the way depends on it; then each level
 * says where it was saved (native_walk.c), or it is the register's.
 *
 * What is not simple (a signal's frame, a stack that was realigned, a rule that is not known any
 * more) is not learned.
 */
#include "native_chains.h"

#include <string.h>

#define SETS (WIRE_CHAINS / NATIVE_CHAIN_WAYS)

_Static_assert((SETS & (SETS - 1)) == 0, "a set is chosen by bits");

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
    return *(const uintptr_t *)level->place == level->ip &&
           (!level->saved || *(const uintptr_t *)level->saved == level->frame);
}

/* The innermost level is the registers'. Frames near to it differ most often. */
static bool holds(const struct native_chain *chain, const struct native_registers *registers)
{
    if (chain->ip != registers->ip || chain->sp != registers->sp)
        return false;
    uint32_t top = chain->count - 1;
    if (chain->by_frame[top] && chain->bp != registers->bp)
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
        if (holds(&set[way], registers))
            return &set[way];
    return NULL;
}

/* One that is the same in all but what it stands on, else the oldest. */
static struct native_chain *chain_to_replace(struct native_chains *chains,
                                             const struct native_registers *registers)
{
    const struct native_chain *same = native_chains_find(chains, registers);
    uint32_t set = set_of(registers);
    if (same)
        return &chains->chains[native_chain_number(chains, same)];
    uint32_t way = chains->next[set]++ % NATIVE_CHAIN_WAYS;
    return &chains->chains[set * NATIVE_CHAIN_WAYS + way];
}

/* Loops among them would be ones that had not begun, and may have when they are met again. */
static bool is_simple(const struct native_level *level, bool is_loop)
{
    bool is_new;
    const struct native_rule rule = native_rule_of(level->ip, &is_new);
    return !is_new && rule.is_evaluation == is_loop &&
           (rule.kind == NATIVE_RULE_STACK || rule.kind == NATIVE_RULE_FRAME);
}

struct native_chain *native_chains_learn(struct native_chains *chains,
                                         const struct native_registers *registers, uint32_t count,
                                         const struct native_level *levels, const bool *by_frame)
{
    uint32_t generation = native_rules_generation();
    for (uint32_t i = 0; i < count; i++)
        if (!is_simple(&levels[i], i == 0))
            return NULL;
    struct native_chain *chain = chain_to_replace(chains, registers);
    chain->sp = registers->sp;
    chain->bp = registers->bp;
    chain->generation = generation;
    chain->count = count;
    chain->base = levels[-1];
    chain->base_by_frame = by_frame[-1];
    memcpy(chain->levels, levels, count * sizeof *levels);
    memcpy(chain->by_frame, by_frame, count * sizeof *by_frame);
    chain->ip = registers->ip;
    chains->is_used = true;
    return chain;
}
