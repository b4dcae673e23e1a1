/*
 * What a walk depends on: its first registers, the rules, and what it loads. Of the loads the
 * return addresses all count. A frame pointer counts only where a rule makes use of it before it is
 * replaced by one saved further out; until then the chain only notes where it came from.
 *
 * A chain is learned by a second walk after a plain one, from the same registers and with nothing
 * changed between. What is not simple (a signal's frame, a rule that is not known yet) is not
 * learned.
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

static bool loads_agree(const struct native_load *loads, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        if (*(const uintptr_t *)loads[i].place != loads[i].value)
            return false;
    return true;
}

/* The first return address is the register. */
static bool holds(const struct native_chain *chain, const struct native_registers *registers)
{
    return chain->ip == registers->ip && chain->sp == registers->sp &&
           (!chain->uses_bp || chain->bp == registers->bp) &&
           loads_agree(chain->returns + 1, chain->count - 1u) && loads_agree(&chain->base, 1) &&
           loads_agree(chain->frames, chain->load_count) &&
           chain->generation == native_rules_generation();
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

/* The frame pointer is used: the walk depends on the register, or on the place it was saved at. */
static bool note_frame(struct native_chain *chain, uintptr_t saved_at, uintptr_t bp)
{
    if (!saved_at) {
        chain->uses_bp = true;
        return true;
    }
    if (chain->load_count && chain->frames[chain->load_count - 1].place == saved_at)
        return true;
    if (chain->load_count == NATIVE_CHAIN_LOADS_MAX)
        return false;
    chain->frames[chain->load_count++] = (struct native_load){saved_at, bp};
    return true;
}

static bool learn_frame(struct native_chain *chain, struct native_registers *registers,
                        uintptr_t *saved_at, uintptr_t limit)
{
    bool is_new;
    const struct native_rule rule = native_rule_of(registers->ip, &is_new);
    const uintptr_t sp = registers->sp, bp = registers->bp;
    bool saves = rule.saved != NATIVE_KEPT;
    if (is_new || (rule.kind != NATIVE_RULE_STACK && rule.kind != NATIVE_RULE_FRAME))
        return false;
    if ((rule.kind == NATIVE_RULE_FRAME || (saves && rule.saved_at_frame)) &&
        !note_frame(chain, *saved_at, bp))
        return false;
    if (saves)
        *saved_at = (rule.saved_at_frame ? bp : sp) + (uintptr_t)(intptr_t)rule.saved;
    chain->returns[chain->count++] = (struct native_load){sp - sizeof sp, registers->ip};
    return native_step(&rule, registers, limit);
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

struct native_chain *native_chains_learn(struct native_chains *chains,
                                         const struct native_registers *registers, uint32_t count,
                                         struct native_load base, uintptr_t limit)
{
    struct native_chain *chain = chain_to_replace(chains, registers);
    struct native_registers at = *registers;
    uintptr_t saved_at = 0;
    chain->ip = 0;
    chain->count = chain->load_count = 0;
    chain->uses_bp = false;
    chain->generation = native_rules_generation();
    while (chain->count < count)
        if (!learn_frame(chain, &at, &saved_at, limit))
            return NULL;
    if (at.sp - sizeof at.sp != base.place || at.ip != base.value)
        return NULL;
    chain->base = base;
    chain->sp = registers->sp;
    chain->bp = registers->bp;
    chain->ip = registers->ip;
    chains->is_used = true;
    return chain;
}
