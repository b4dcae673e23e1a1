/*
 * How to get from a native frame to its caller: one rule for each return address.
 *
 * A rule says where the caller's stack pointer (the canonical frame address) is, relative to this
 * frame's stack or frame pointer, and where its frame pointer was saved. The return address lies
 * just below the caller's stack pointer. Rules come from libunwind, which knows all of DWARF's call
 * frame information; it is asked once for each address, with made-up registers and a made-up stack
 * whose values tell where they come from. After that a step is an addition and two loads.
 *
 * Rules live in a table of fixed size that all threads share; one that is needed again after
 * another has taken its place is made again. Any thread, not in a signal handler that has
 * interrupted the shim.
 */
#ifndef HEAPLINE_PRELOAD_NATIVE_RULES_H
#define HEAPLINE_PRELOAD_NATIVE_RULES_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "preload/arch/native_frame.h"

enum native_rule_kind {
    NATIVE_RULE_NONE = 0,     /* nothing is known of the address */
    NATIVE_RULE_END,          /* the outermost frame */
    NATIVE_RULE_STACK,        /* caller's sp = sp + caller */
    NATIVE_RULE_FRAME,        /* caller's sp = bp + caller */
    NATIVE_RULE_FRAME_LOADED, /* caller's sp = *(bp + caller) */
    NATIVE_RULE_SIGNAL,       /* sp, ip and bp are *(sp + caller), *(sp + ip), *(sp + saved) */
};

#define NATIVE_KEPT INT32_MIN /* in `saved`: the caller's bp is this frame's */

struct native_rule {
    uint8_t kind;           /* enum native_rule_kind */
    bool is_evaluation : 1; /* a frame of the interpreter's evaluation loop */
    bool is_interpreter : 1;
    bool is_recursion_check : 1; /* one of the function that raises RecursionError */
    bool is_made : 1;            /* code of no module, that the program has made */
    bool saved_at_frame : 1;     /* `saved` is relative to bp, not to sp */
    int32_t caller;
    int32_t saved;
    int32_t ip;
};

/* Loads libunwind. Once, at start, before there is a second thread. False: it is not to be had. */
bool native_rules_init(void);

/* What is known of the interpreter, or 0: the evaluation function, the one that raises
 * RecursionError, and any address in its library. */
struct native_interpreter {
    uintptr_t evaluation, recursion_check, any;
};
void native_rules_set_interpreter(const struct native_interpreter *interpreter);

/* The rule for a return address; *is_new when libunwind has just been asked. */
struct native_rule native_rule_of(uintptr_t ip, bool *is_new);

/* From now on frames at this address count as the evaluation loop's. */
void native_rule_mark_evaluation(uintptr_t ip);

/* A library has been unloaded, or the reader is a forked child's, who knows of none: all rules are
 * to be made again. */
void native_rules_forget(void);

/* Code that the program has made may be other code by now: then the rules for it are to be made
 * again. */
void native_rules_check_made(void);

/* Changes with every rule that becomes another one. */
extern _Atomic uint32_t native_rules_changes;

static inline uint32_t native_rules_generation(void)
{
    return atomic_load_explicit(&native_rules_changes, memory_order_acquire);
}

/* Held over a fork, so that the child finds everything whole. */
void native_rules_lock(void);
void native_rules_unlock(void);

#ifdef HEAPLINE_CHECK_WALK
/* Walks with libunwind alone, one plain step after the other, from registers as native_step() takes
 * them; writes up to `most` return addresses and returns how many. */
uint32_t native_walk_plainly(struct native_registers registers, uintptr_t limit, uintptr_t *ips,
                             uint32_t most);
#endif

/* Does a step with the rule. What it reads must lie below `limit` and at or above the frame's sp.
 * False: at the end, or no way on. */
static inline bool native_step(const struct native_rule *rule, struct native_registers *registers,
                               uintptr_t limit)
{
    uintptr_t sp = registers->sp, bp = registers->bp, caller, saved;
    switch (rule->kind) {
    case NATIVE_RULE_STACK:
        caller = sp + (uintptr_t)(intptr_t)rule->caller;
        break;
    case NATIVE_RULE_FRAME:
        caller = bp + (uintptr_t)(intptr_t)rule->caller;
        break;
    case NATIVE_RULE_FRAME_LOADED:
        saved = bp + (uintptr_t)(intptr_t)rule->caller;
        if (saved < sp || saved > limit - sizeof saved)
            return false;
        caller = *(const uintptr_t *)saved;
        break;
    case NATIVE_RULE_SIGNAL:
        if (sp + (uintptr_t)rule->ip > limit - 64 || sp + (uintptr_t)rule->caller > limit - 64)
            return false;
        registers->ip = *(const uintptr_t *)(sp + (uintptr_t)rule->ip) + 1;
        registers->bp = *(const uintptr_t *)(sp + (uintptr_t)rule->saved);
        registers->sp = *(const uintptr_t *)(sp + (uintptr_t)rule->caller);
        return registers->sp > sp && registers->sp < limit;
    default:
        return false;
    }
    if (caller <= sp || caller > limit)
        return false;
    if (rule->saved != NATIVE_KEPT) {
        saved = (rule->saved_at_frame ? bp : sp) + (uintptr_t)(intptr_t)rule->saved;
        if (saved < sp - NATIVE_RED_ZONE_BYTES || saved >= caller)
            return false;
        registers->bp = *(const uintptr_t *)saved;
    }
    registers->ip = *(const uintptr_t *)(caller - NATIVE_RETURN_BYTES);
    registers->sp = caller;
    return registers->ip != 0;
}

#endif
