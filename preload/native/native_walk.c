/*
 * The walk over return addresses.
 *
 * A level is a slot of the stack with a return address in it, and that address. A new walk steps
 * from the hook's caller (native_rules.h) until it meets a slot that is remembered with the same
 * address. From there down the remembered slots are compared with memory, each an independent
 * load; usually all agree. Where one does not, everything is walked anew.
 *
 * Why that is enough: from the same return address in the same slot, a step by an offset from the
 * stack pointer leads to the same next slot. Where a frame's size changes (alloca), the step goes
 * by the frame pointer, and a remembered slot might by chance hold the old address among the data
 * of a frame that has taken its room. The check build walks every stack a second time with
 * libunwind alone.
 *
 * Most allocations come from code that has allocated before: then neither is needed for the
 * frames above the innermost evaluation loop (native_chains.h), and the reader is told a chain's
 * number. Where what that stands on is not remembered, the chain of the next loop outwards is
 * looked for, and so on. The innermost chain's levels are put into the array only when somebody
 * looks at them: more often another chain takes its place.
 *
 * The shim reads only between the stack pointer and the thread's end of the stack. On another stack
 * (a signal's, a coroutine's) nothing is known of its end, and the stack is the mark for one that
 * cannot be read.
 *
 * With each level goes how many evaluation loops stand below it, so that the reader can put Python
 * frames between native ones. Which frames are those of the loop: that of the function itself, by
 * its unwind entry; from 3.12 on also any in which an entry frame of the interpreter's lies, which
 * is looked for whenever an address is new.
 */
#include "preload/native/native_walk.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>

#include "assertion.h"
#include "preload/base/memory.h"
#include "preload/base/shim.h"
#include "preload/base/signals.h"
#include "preload/carrier/ring_writer.h"
#include "preload/native/native_chains.h"
#include "preload/native/native_rules.h"
#include "preload/python/python_frame.h"
#include "preload/python/python_walk.h"
#include "wire.h"
#ifdef HEAPLINE_CHECK_WALK
#include <stdlib.h>

#include "preload/base/complaint.h"
#endif

#define INDEX_SLOTS 256u

#define NOT_INTERRUPTED UINT32_MAX
#define NOTHING_MADE    UINT32_MAX

struct native_state {
    uintptr_t stack_start, stack_end; /* of the thread's own stack; 0: they could not be found */
    uint32_t capacity;
    uint32_t generation;         /* of the rules that the levels are from */
    uint32_t used;               /* levels that the last walk has left */
    uint32_t placed;             /* of these, those in the array; the others are the top chain's */
    uint32_t depth;              /* as the reader knows it */
    uint32_t sent;               /* levels below: the reader has a word for them */
    uint32_t bottom;             /* 1: level 0 stands for outer frames that are left out; else 0 */
    uint32_t interrupted;        /* the outermost level that a signal handler has interrupted */
    uint32_t made;               /* the outermost level of code that the program has made */
    struct native_level *levels; /* outermost first */
    uint64_t *words, *told;
    uint8_t *flags;               /* by level: enum native_level_flags */
    struct native_level *scratch; /* new frames, innermost first, */
    struct native_rule *rules;    /* and their rules */
    struct native_chains *chains;
    bool chains_have_made;          /* some have such levels */
    const struct native_chain *top; /* the innermost levels are this chain's; null: no chain's */
    uint16_t index[INDEX_SLOTS];
};

void native_walk_enable(void)
{
    shim_walks_native = native_rules_init();
}

/* --- a thread's state --- */

/* Of the words above the hook's frame, in which its callers have theirs; and of the function. */
#define ASKER_WORDS 64u
#define ASKER_BYTES UINT64_C(4096)

/* Does the hook's call come out of pthread_getattr_np()? It allocates while it holds the thread's
 * lock (CPython asks it from 3.14 on, as a thread begins), and would wait for itself. */
static bool is_asked_already(uintptr_t frame)
{
    const uintptr_t *words = (const uintptr_t *)frame;
    /* Near the end of a stack there is nobody who asks. */
    if (!signals_can_read(words + ASKER_WORDS - 1))
        return false;
    for (unsigned i = 0; i < ASKER_WORDS; i++)
        if (words[i] - (uintptr_t)pthread_getattr_np < ASKER_BYTES)
            return true;
    return false;
}

/* For a call whose hook has this frame. False: it is to be tried again. */
static bool find_stack(struct native_state *native, uintptr_t frame)
{
    pthread_attr_t attributes;
    void *start;
    size_t bytes;
    int saved = errno;
    if (shim_is_sealed())
        return true;
    if (is_asked_already(frame))
        return false;
    uintptr_t guard = shim_guard_set_library();
    if (pthread_getattr_np(pthread_self(), &attributes) == 0) {
        if (pthread_attr_getstack(&attributes, &start, &bytes) == 0) {
            native->stack_start = (uintptr_t)start;
            native->stack_end = (uintptr_t)start + bytes;
        }
        pthread_attr_destroy(&attributes);
    }
    shim_guard_set(guard);
    errno = saved;
    return true;
}

static bool allocate_levels(struct native_state *native, uint32_t capacity)
{
    size_t level_bytes = 2 * sizeof(struct native_level) + 2 * sizeof(uint64_t) +
                         sizeof(struct native_rule) + sizeof(uint8_t);
    char *memory = memory_map(capacity * level_bytes);
    if (!memory)
        return false;
    native->levels = (struct native_level *)(void *)memory;
    native->scratch = native->levels + capacity;
    native->words = (uint64_t *)(native->scratch + capacity);
    native->told = native->words + capacity;
    native->rules = (struct native_rule *)(native->told + capacity);
    native->flags = (uint8_t *)(native->rules + capacity);
    native->capacity = capacity;
    native->chains = memory_map(sizeof *native->chains);
    return native->chains;
}

static void forget_levels(struct native_state *native)
{
    native->stack_start = native->stack_end = 0;
    native->used = native->placed = native->depth = native->sent = 0;
    native->bottom = 0;
    native->interrupted = NOT_INTERRUPTED;
    native->made = NOTHING_MADE;
    native->top = NULL;
    native->chains_have_made = false;
    native_chains_forget(native->chains);
}

static struct native_state *state_of(struct thread_state *thread, uintptr_t frame)
{
    struct native_state *native = thread->native;
    if (SHIM_LIKELY(native && !thread->native_is_void))
        return native;
    if (!native) {
        native = memory_carve(sizeof *native);
        if (!native || !allocate_levels(native, WIRE_NATIVE_LEVELS_MAX))
            return NULL;
        thread->native = native;
    }
    forget_levels(native);
    thread->native_is_void = !find_stack(native, frame);
    return native;
}

/* --- walking --- */

/* One walk. */
struct walk {
    struct thread_state *thread;
    bool has_python; /* the thread's Python levels are those of this moment */
    struct native_registers registers;
    uint32_t count; /* of new frames, */
    uint32_t base;  /* and the level of the outermost of them */
};

enum walk_end {
    WALK_REMEMBERED, /* the new frames stand on a remembered one */
    WALK_OUTERMOST,  /* they go down to the outermost frame */
    WALK_BROKEN,     /* there is no way on from the last one */
    WALK_TOO_DEEP,
};

static unsigned index_slot(uintptr_t stack_slot)
{
    return (unsigned)(stack_slot >> 3 ^ stack_slot >> 11) & (INDEX_SLOTS - 1);
}

/* Does an entry frame of the interpreter's lie between the two addresses? */
static bool holds_entry_frame(const struct thread_state *thread, uintptr_t from, uintptr_t to)
{
    if (python_layout.rules.heap_frames)
        return false;
    for (uint32_t level = thread->bottom; level < thread->depth; level++) {
        uintptr_t frame = thread->walked[level].frame;
        if (frame >= from && frame < to && frame_is_internal(frame))
            return true;
    }
    return false;
}

/* Steps from a frame to its caller; `rule` is the frame's. */
static bool walk_step(const struct walk *walk, struct native_rule *rule,
                      struct native_registers *registers)
{
    bool is_new;
    uintptr_t ip = registers->ip, sp = registers->sp;
    *rule = native_rule_of(ip, &is_new);
    bool stepped = native_step(rule, registers, walk->thread->native->stack_end);
    if (SHIM_UNLIKELY(is_new) && stepped && walk->has_python &&
        holds_entry_frame(walk->thread, sp, registers->sp)) {
        rule->is_evaluation = true;
        native_rule_mark_evaluation(ip);
    }
    return stepped;
}

/* The remembered level of the same frame; -1: none. */
static int32_t find_level(const struct native_state *native,
                          const struct native_registers *registers)
{
    uintptr_t stack_slot = registers->sp - NATIVE_RETURN_BYTES;
    uint32_t level = native->index[index_slot(stack_slot)];
    const struct native_level *at = &native->levels[level];
    return level < native->placed && at->stack_slot == stack_slot && at->ip == registers->ip &&
                   (at->frame == registers->bp || !(native->flags[level] & NATIVE_BY_FRAME))
               ? (int32_t)level
               : -1;
}

/* What is below a level that was interrupted does not lie where return addresses do. */
static bool below_agree(const struct native_state *native, int32_t level)
{
    const struct native_level *levels = native->levels;
    uintptr_t differences = native->interrupted < (uint32_t)level;
    for (int32_t i = level - 1; i >= (int32_t)native->bottom && !differences; i--) {
        differences |= *(const uintptr_t *)levels[i].stack_slot ^ levels[i].ip;
        if (levels[i].saved)
            differences |= *(const uintptr_t *)levels[i].saved ^ levels[i].frame;
    }
    return differences == 0;
}

/* Collects new frames, innermost first, at most `most`. *level is the one on which they stand when
 * that is remembered. */
static enum walk_end collect_levels(struct walk *walk, bool remembers, uint32_t most,
                                    int32_t *level)
{
    struct native_state *native = walk->thread->native;
    struct native_registers registers = walk->registers;
    for (walk->count = 0; walk->count < most;) {
        struct native_rule *rule = &native->rules[walk->count];
        if (remembers && (*level = find_level(native, &registers)) >= 0) {
            if (below_agree(native, *level))
                return WALK_REMEMBERED;
            remembers = false;
        }
        native->scratch[walk->count++] =
            (struct native_level){.stack_slot = registers.sp - NATIVE_RETURN_BYTES,
                                  .ip = registers.ip,
                                  .frame = registers.bp};
        if (!walk_step(walk, rule, &registers))
            return rule->kind == NATIVE_RULE_END ? WALK_OUTERMOST : WALK_BROKEN;
    }
    return WALK_TOO_DEEP;
}

/* --- telling --- */

/* The evaluation loops below level `base`. */
static uint64_t loops_below(const struct native_state *native, uint32_t base)
{
    if (base <= native->bottom)
        return 0;
    uint64_t word = native->words[base - 1];
    return (word >> WIRE_NATIVE_LOOPS_SHIFT & WIRE_NATIVE_LOOPS_MASK) +
           ((word & WIRE_NATIVE_LOOP_BIT) != 0);
}

/* The new frame at which the innermost evaluation loop stands that has not begun yet, so that
 * Python knows nothing of it; as a number of scratch, UINT32_MAX: there is none. */
static uint32_t find_unbegun(const struct walk *walk, uint32_t base)
{
    const struct native_state *native = walk->thread->native;
    uint32_t at = 0;
    while (at < walk->count && !native->rules[at].is_evaluation)
        at++;
    if (at == walk->count || !walk->has_python)
        return UINT32_MAX;
    if (python_layout.rules.heap_frames) /* nothing of theirs is on the stack */
        return at > 0 && native->rules[at - 1].is_recursion_check ? at : UINT32_MAX;
    const struct native_level *caller = at + 1 < walk->count    ? &native->scratch[at + 1]
                                        : base > native->bottom ? &native->levels[base - 1]
                                                                : NULL;
    return caller && python_innermost_loop(walk->thread) > caller->stack_slot ? at : UINT32_MAX;
}

/* Notes by what the way from a level leads on, and for the level below where its frame pointer was
 * saved. */
static void note_way(struct native_state *native, uint32_t level, const struct native_rule *rule,
                     bool is_loop)
{
    const struct native_level *at = &native->levels[level];
    struct native_level *caller = level > native->bottom ? &native->levels[level - 1] : NULL;
    bool caller_by_frame = caller && native->flags[level - 1] & NATIVE_BY_FRAME;
    bool is_kept = rule->saved == NATIVE_KEPT;
    bool by_frame = rule->kind == NATIVE_RULE_FRAME || rule->kind == NATIVE_RULE_FRAME_LOADED ||
                    (caller_by_frame && (is_kept || rule->saved_at_frame));
    bool is_simple = (rule->kind == NATIVE_RULE_STACK || rule->kind == NATIVE_RULE_FRAME) &&
                     rule->is_evaluation == is_loop;
    uintptr_t from = rule->saved_at_frame ? at->frame : at->stack_slot + NATIVE_RETURN_BYTES;
    native->flags[level] = (by_frame ? NATIVE_BY_FRAME : 0) | (is_simple ? NATIVE_SIMPLE : 0);
    if (caller)
        caller->saved = caller_by_frame && !is_kept ? from + (uintptr_t)(intptr_t)rule->saved : 0;
}

static uint64_t word_of(uintptr_t ip, const struct native_rule *rule, uint64_t loops, bool is_loop)
{
    return loops << WIRE_NATIVE_LOOPS_SHIFT | (ip & WIRE_ADDRESS_MASK) |
           (is_loop ? WIRE_NATIVE_LOOP_BIT : 0) |
           (rule->is_interpreter ? WIRE_NATIVE_INTERPRETER_BIT : 0);
}

/* What is known of levels from `level` up is known no more. */
static void forget_above(struct native_state *native, uint32_t level)
{
    if (native->interrupted >= level)
        native->interrupted = NOT_INTERRUPTED;
    if (native->made >= level)
        native->made = NOTHING_MADE;
}

/* Puts the collected frames from level `base` up. Returns the lowest level that the reader has to
 * be told. */
static uint32_t put_levels(struct walk *walk, uint32_t base)
{
    struct native_state *native = walk->thread->native;
    uint32_t changed = base + walk->count, unbegun = find_unbegun(walk, base);
    uint64_t loops = loops_below(native, base);
    forget_above(native, base);
    for (uint32_t level = base, from = walk->count; from-- > 0; level++) {
        const struct native_rule *rule = &native->rules[from];
        bool is_loop = rule->is_evaluation && from != unbegun;
        uint64_t word =
            word_of(native->scratch[from].ip, rule, loops & WIRE_NATIVE_LOOPS_MASK, is_loop);
        native->levels[level] = native->scratch[from];
        native->index[index_slot(native->levels[level].stack_slot)] = (uint16_t)level;
        note_way(native, level, rule, is_loop);
        if (rule->kind == NATIVE_RULE_SIGNAL && level < native->interrupted)
            native->interrupted = level - 1;
        if (rule->is_made && level < native->made)
            native->made = level;
        native->words[level] = word;
        if (level < changed && (level >= native->sent || native->told[level] != word))
            changed = level;
        loops += is_loop;
    }
    native->used = native->placed = base + walk->count;
    native->top = NULL;
    walk->base = base;
    return changed;
}

/* Level 0 stands for what is left out. Returns false when the reader has to be told. */
static bool put_truncated(struct native_state *native)
{
    native->bottom = native->used = native->placed = 1;
    forget_above(native, 0);
    native->top = NULL;
    native->levels[0] = (struct native_level){0};
    native->words[0] = WIRE_NATIVE_TRUNCATED;
    return native->sent > 0 && native->told[0] == WIRE_NATIVE_TRUNCATED;
}

static bool send_levels(const struct thread_state *thread, uint32_t low, uint32_t count)
{
    const struct native_state *native = thread->native;
    uint64_t position;
    if (!ring_reserve(1 + count, &position))
        return false;
    for (uint32_t i = 0; i < count; i++) {
        ring_put(position + 1 + i, native->words[low + i]);
        native->told[low + i] = native->words[low + i];
    }
    ring_publish(position, wire_first(WIRE_NATIVE) |
                               (uint64_t)thread->slot << WIRE_STACK_THREAD_SHIFT |
                               (uint64_t)count << WIRE_STACK_COUNT_SHIFT |
                               (uint64_t)low << WIRE_STACK_LEVEL_SHIFT | native->used);
    return true;
}

/* Tells the reader of the levels from `changed` up, and of the depth. */
static bool tell_native_changes(struct thread_state *thread, uint32_t changed)
{
    struct native_state *native = thread->native;
    if (changed >= native->used)
        return native->used == native->depth || send_levels(thread, 0, 0);
    for (uint32_t low = changed; low < native->used; low += RING_RECORD_LEVELS_MAX) {
        uint32_t left = native->used - low;
        if (!send_levels(thread, low,
                         left < RING_RECORD_LEVELS_MAX ? left : RING_RECORD_LEVELS_MAX))
            return false;
    }
    return true;
}

static bool is_on_own_stack(const struct walk *walk)
{
    const struct native_state *native = walk->thread->native;
    return walk->registers.sp >= native->stack_start && walk->registers.sp < native->stack_end;
}

/* Walks, and returns the lowest level that the reader has to be told. */
static uint32_t walk_stack(struct walk *walk)
{
    struct native_state *native = walk->thread->native;
    int32_t level = -1;
    if (!is_on_own_stack(walk))
        return put_truncated(native) ? 1 : 0;
    enum walk_end end = collect_levels(walk, true, native->capacity / 2, &level);
    if (end == WALK_REMEMBERED && (uint32_t)level + 1 + walk->count > native->capacity)
        end = collect_levels(walk, false, native->capacity / 2, &level);
    if (end == WALK_REMEMBERED)
        return put_levels(walk, (uint32_t)level + 1);
    native->bottom = 0;
    bool told = end == WALK_OUTERMOST || put_truncated(native);
    uint32_t changed = put_levels(walk, native->bottom);
    return told ? changed : 0;
}

/* --- chains --- */

/* How many chains that stand on each other are looked for. */
#define CHAINS_AT_ONCE 8u

/* Chains that hold, innermost first, and the level that the outermost stands on. */
struct chains_found {
    const struct native_chain *list[CHAINS_AT_ONCE];
    uint32_t count;
    uint32_t levels; /* of all of them */
    int32_t base;
};

static bool send_chain(const struct thread_state *thread, const struct native_chain *chain,
                       uint32_t level, uint64_t keep)
{
    uint64_t number = native_chain_number(thread->native->chains, chain), position;
    if (!ring_reserve(1, &position))
        return false;
    ring_publish(position, wire_first(WIRE_CHAIN) | keep |
                               (uint64_t)thread->slot << WIRE_CHAIN_THREAD_SHIFT |
                               number << WIRE_CHAIN_NUMBER_SHIFT |
                               (uint64_t)level << WIRE_CHAIN_LEVEL_SHIFT | (level + chain->count));
    return true;
}

/* Is the chain's loop one that Python knows of? From 3.12 on what a loop begins with lies in its
 * own frame on the C stack. */
static bool is_at_level(const struct thread_state *thread, const struct native_chain *chain)
{
    uint32_t level = chain->loop_level;
    return level < thread->depth && thread->walked[level].frame == chain->loop_frame &&
           thread->levels[level].word & WIRE_ENTRY_BIT;
}

/* Has the chain's loop begun, as it had when the chain was learned? See find_unbegun(). */
static bool has_begun(const struct walk *walk, const struct native_chain *chain)
{
    return !walk->has_python || python_layout.rules.heap_frames ||
           (!python_layout.rules.has_frame_holder && is_at_level(walk->thread, chain)) ||
           python_innermost_loop(walk->thread) <= chain->base.stack_slot;
}

/* The level that a chain stands on; -1: on none that is known to be there. */
static int32_t base_of(const struct native_state *native, const struct native_chain *chain)
{
    const struct native_registers registers = native_chain_base(chain);
    int32_t base = find_level(native, &registers);
    bool stands = base >= 0 && native->flags[base] == chain->base_flags &&
                  below_agree(native, base) &&
                  loops_below(native, (uint32_t)base + 1) == chain->loops;
    return stands ? base : -1;
}

/* Does one chain stand on another that begins where it ends? */
static bool stands_on(const struct native_chain *upper, const struct native_chain *lower)
{
    return upper->loops == lower->loops + 1 && upper->base_flags == lower->flags[lower->count - 1];
}

/* The chains that make up the stack, down to a level that is remembered. False: there is none. */
static bool find_chains(const struct walk *walk, struct chains_found *found)
{
    const struct native_state *native = walk->thread->native;
    struct native_registers registers = walk->registers;
    found->count = found->levels = 0;
    while (found->count < CHAINS_AT_ONCE) {
        const struct native_chain *chain = native_chains_find(native->chains, &registers);
        if (!chain || (found->count ? !stands_on(found->list[found->count - 1], chain)
                                    : !has_begun(walk, chain)))
            return false;
        found->list[found->count++] = chain;
        found->levels += chain->count;
        found->base = base_of(native, chain);
        if (found->base >= 0)
            return (uint32_t)found->base + 1 + found->levels <= native->capacity;
        registers = native_chain_base(chain);
    }
    return false;
}

/* Puts the top chain's levels into the array. */
static void put_top(struct native_state *native)
{
    const struct native_chain *chain = native->top;
    uint32_t level = native->placed;
    if (level == native->used)
        return;
    for (uint32_t i = 0; i < chain->count; i++, level++) {
        native->levels[level] = chain->levels[i];
        native->flags[level] = chain->flags[i];
        native->index[index_slot(chain->levels[i].stack_slot)] = (uint16_t)level;
        native->words[level] = native->told[level] = chain->words[i];
    }
    native->placed = level;
}

/* A chain, which the reader has been told, has the levels from `level` up, and is the top one. */
static void set_top(struct native_state *native, const struct native_chain *chain, uint32_t level)
{
    native->levels[level - 1].saved = chain->base.saved;
    forget_above(native, level);
    native->top = chain;
    native->placed = level;
    /* What the reader has above is not what told[] says. */
    native->used = native->depth = native->sent = level + chain->count;
}

/* Updates by chains. *told is false when there were some and a record could not be sent. */
static bool use_chains(const struct walk *walk, bool *told)
{
    struct native_state *native = walk->thread->native;
    struct chains_found found;
    if (!find_chains(walk, &found))
        return false;
    uint32_t level = (uint32_t)found.base + 1;
    *told = true;
    if (found.count == 1 && native->top == found.list[0] && native->used == level + found.levels)
        return true;
    while (found.count && *told) {
        const struct native_chain *chain = found.list[--found.count];
        *told = send_chain(walk->thread, chain, level, 0);
        set_top(native, chain, level);
        if (found.count)
            put_top(native);
        level += chain->count;
    }
    return true;
}

/* The innermost evaluation loop's level below `end`, where there are few enough levels between;
 * else -1. */
static int32_t find_loop(const struct native_state *native, uint32_t end)
{
    int32_t lowest = (int32_t)end - (int32_t)WIRE_CHAIN_LEVELS_MAX;
    for (int32_t level = (int32_t)end - 1; level >= lowest && level > (int32_t)native->bottom;
         level--)
        if (native->words[level] & WIRE_NATIVE_LOOP_BIT)
            return level;
    return -1;
}

/* Where Python's innermost loop begins. */
static void note_loop(const struct walk *walk, struct native_chain *chain)
{
    const struct thread_state *thread = walk->thread;
    uint32_t level = walk->has_python ? thread->depth : 0;
    while (level > 0 && !(thread->levels[level - 1].word & WIRE_ENTRY_BIT))
        level--;
    chain->loop_level = level ? level - 1 : UINT32_MAX;
    chain->loop_frame = level ? thread->walked[level - 1].frame : 0;
}

/* Makes a chain of the levels from `level` to `end`, which the reader has. False: it could not be
 * told. */
static bool learn_chain(const struct walk *walk, uint32_t level, uint32_t end)
{
    struct native_state *native = walk->thread->native;
    const struct native_level *top = &native->levels[end - 1];
    const struct native_registers registers = {
        .ip = top->ip, .sp = top->stack_slot + NATIVE_RETURN_BYTES, .bp = top->frame};
    const struct native_span span = {
        .count = end - level,
        .loops = loops_below(native, level),
        .levels = &native->levels[level],
        .flags = &native->flags[level],
        .words = &native->words[level],
    };
    bool is_new;
    struct native_chain *chain = native_chains_learn(native->chains, &registers, &span, &is_new);
    if (!is_new)
        return true;
    note_loop(walk, chain);
    if (end == native->used)
        native->top = chain;
    return send_chain(walk->thread, chain, level, WIRE_CHAIN_KEEP_BIT);
}

/* Makes chains of the innermost evaluation loop's level and those above it, and of what has been
 * walked below. False: that could not be told. */
static bool learn_chains(const struct walk *walk)
{
    struct native_state *native = walk->thread->native;
    uint32_t end = native->used;
    if (native->interrupted != NOT_INTERRUPTED || native->generation != native_rules_generation())
        return true;
    native->chains_have_made |= native->made != NOTHING_MADE;
    do {
        int32_t level = find_loop(native, end);
        if (level < 0)
            return true;
        if (!learn_chain(walk, (uint32_t)level, end))
            return false;
        end = (uint32_t)level;
    } while (end > walk->base);
    return true;
}

#ifdef HEAPLINE_CHECK_WALK
/* A plain walk is slow: not for every allocation. */
#define CHECK_EVERY 13u

static void fail_check(const char *what)
{
    complain(what);
    abort();
}

/* What the reader has been told of a level. */
static uint64_t told_of(const struct native_state *native, uint32_t level)
{
    return level < native->placed ? native->told[level]
                                  : native->top->words[level - native->placed];
}

static void check_loops(const struct thread_state *thread)
{
    const struct native_state *native = thread->native;
    uint32_t loops = 0, native_loops = 0;
    for (uint32_t level = 0; level < thread->depth; level++)
        loops += (thread->levels[level].word & WIRE_ENTRY_BIT) != 0;
    for (uint32_t level = native->bottom; level < native->used; level++)
        native_loops += (told_of(native, level) & WIRE_NATIVE_LOOP_BIT) != 0;
    if (loops > native_loops)
        fail_check("walk check: an evaluation loop is missing in the native stack");
}

static void check_walk(const struct walk *walk)
{
    static _Atomic uint32_t turn;
    const struct native_state *native = walk->thread->native;
    uintptr_t *ips = (uintptr_t *)native->scratch; /* done with */
    uint32_t known = native->used - native->bottom;
    if (walk->has_python && !native->bottom)
        check_loops(walk->thread);
    if (known == 0 || atomic_fetch_add(&turn, 1) % CHECK_EVERY)
        return;
    uint32_t count = native_walk_plainly(walk->registers, native->stack_end, ips, native->capacity);
    bool agrees = native->bottom ? count >= known : count == known;
    /* An interrupted frame's address is one more here, as if a call returned there. */
    for (uint32_t i = 0; agrees && i < known; i++)
        agrees = ((told_of(native, native->used - 1 - i) - ips[i]) & WIRE_ADDRESS_MASK) <= 1;
    if (!agrees)
        fail_check("walk check: the native stack is another one");
}
#endif

/* Levels that were walked by rules of which some are others now are walked anew. For those of made
 * code that is looked up. */
static void renew_state(struct native_state *native)
{
    if (SHIM_UNLIKELY(native->made < native->used || native->chains_have_made))
        native_rules_check_made();
    uint32_t generation = native_rules_generation();
    if (SHIM_LIKELY(native->generation == generation))
        return;
    put_top(native);
    native->used = native->placed = 0;
    native->top = NULL;
    native->generation = generation;
    native->chains_have_made = false; /* they are void */
}

static bool update_levels(struct walk *walk)
{
    struct native_state *native = walk->thread->native;
    bool told, is_own = is_on_own_stack(walk);
    renew_state(native);
    if (SHIM_LIKELY(is_own && use_chains(walk, &told)))
        return told;
    put_top(native);
    if (!tell_native_changes(walk->thread, walk_stack(walk)))
        return false;
    native->depth = native->used;
    if (native->sent < native->used)
        native->sent = native->used;
    return !is_own || learn_chains(walk);
}

/* What is true of a thread's native levels between two walks. */
static bool levels_hold(const struct native_state *native)
{
    return native->bottom <= 1 && native->placed <= native->used &&
           native->used <= native->capacity && native->depth == native->used &&
           native->sent <= native->capacity && (native->top || native->placed == native->used);
}

bool native_stack_update(struct thread_state *thread, uintptr_t frame, bool has_python)
{
    struct native_state *native = state_of(thread, frame);
    if (!native)
        return false;
    struct walk walk = {
        .thread = thread,
        .has_python = has_python,
        .registers = native_frame_caller(frame),
    };
    if (!update_levels(&walk)) {
        thread->resend = true;
        return false;
    }
    ASSERT(levels_hold(native));
#ifdef HEAPLINE_CHECK_WALK
    check_walk(&walk);
#endif
    return true;
}
