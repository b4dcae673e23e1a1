/*
 * The walk over return addresses.
 *
 * A level is a place in the stack where a return address lies, and that address. A new walk steps
 * from the hook's caller (native_rules.h) until it meets a place that is remembered with the same
 * address. From there down the remembered places are compared with memory, each an independent
 * load; usually all agree. Where one does not, everything is walked anew.
 *
 * Why that is enough: from the same return address at the same place, a step by an offset from the
 * stack pointer leads to the same next place. Where a frame's size changes (alloca), the step goes
 * by the frame pointer, and a remembered place might by chance hold the old address among the data
 * of a frame that has taken its room. The check build walks every stack a second time with
 * libunwind alone.
 *
 * Most allocations come from places that have allocated before: then neither is needed for the
 * frames above the innermost evaluation loop (native_chains.h), and the reader is told a chain's
 * number.
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
#include "native_walk.h"

#include <pthread.h>
#include <string.h>

#include "memory.h"
#include "native_chains.h"
#include "native_rules.h"
#include "python_frame.h"
#include "ring_writer.h"
#include "shim.h"
#include "wire.h"
#ifdef HEAPLINE_CHECK_WALK
#include <stdlib.h>

#include "complaint.h"
#endif

#define INDEX_SLOTS 256u
/* No record is longer than an eighth of the smallest ring. */
#define LEVELS_PER_RECORD 256u

extern void *__libc_stack_end;

struct native_state {
    uintptr_t stack_end; /* of the thread's own stack; 0: not known */
    uintptr_t stack_start;
    uint32_t capacity;
    uint32_t used;              /* levels that the last walk has left */
    uint32_t depth;             /* as the reader knows it */
    uint32_t sent;              /* levels below: the reader has a word for them */
    uint32_t bottom;            /* 1: level 0 stands for outer frames that are left out; else 0 */
    struct native_load *levels; /* return addresses, outermost first */
    uint64_t *words, *told;
    uint8_t *is_loop;            /* by level: it is an evaluation loop's frame */
    struct native_load *scratch; /* new frames, innermost first, */
    struct native_rule *rules;   /* and their rules */
    struct native_chains *chains;
    const struct native_chain *top; /* the innermost levels are this chain's; null: no chain's */
    uint16_t index[INDEX_SLOTS];
};

bool native_walk_enabled;

void native_walk_enable(void)
{
    native_walk_enabled = native_rules_init();
}

/* --- a thread's state --- */

static void find_stack(struct native_state *native)
{
    pthread_attr_t attributes;
    void *start;
    size_t bytes;
    uintptr_t here = (uintptr_t)__builtin_frame_address(0);
    uintptr_t guard = shim_thread.guard;
    shim_guard_set(here); /* what libc allocates for this is no event */
    if (pthread_getattr_np(pthread_self(), &attributes) == 0) {
        if (pthread_attr_getstack(&attributes, &start, &bytes) == 0) {
            native->stack_start = (uintptr_t)start;
            native->stack_end = (uintptr_t)start + bytes;
        }
        pthread_attr_destroy(&attributes);
    }
    shim_guard_set(guard);
}

static bool allocate(struct native_state *native, uint32_t capacity)
{
    size_t level_bytes = 2 * sizeof(struct native_load) + 2 * sizeof(uint64_t) +
                         sizeof(struct native_rule) + sizeof(uint8_t);
    char *memory = memory_map(capacity * level_bytes);
    if (!memory)
        return false;
    native->levels = (struct native_load *)(void *)memory;
    native->scratch = native->levels + capacity;
    native->words = (uint64_t *)(native->scratch + capacity);
    native->told = native->words + capacity;
    native->rules = (struct native_rule *)(native->told + capacity);
    native->is_loop = (uint8_t *)(native->rules + capacity);
    native->capacity = capacity;
    native->chains = memory_map(sizeof *native->chains);
    return native->chains;
}

static struct native_state *state_of(struct thread_state *thread)
{
    struct native_state *native = thread->native;
    if (SHIM_LIKELY(native && native->stack_end))
        return native;
    if (!native) {
        native = memory_carve(sizeof *native);
        if (!native || !allocate(native, WIRE_NATIVE_LEVELS_MAX))
            return NULL;
        thread->native = native;
    }
    find_stack(native);
    return native;
}

void native_state_forget(struct native_state *native)
{
    native->stack_end = 0; /* the next owner may be another thread */
    native->used = native->depth = native->sent = 0;
    native->bottom = 0;
    native->top = NULL;
    native_chains_forget(native->chains);
}

/* --- walking --- */

static unsigned index_slot(uintptr_t place)
{
    return (unsigned)(place >> 3 ^ place >> 11) & (INDEX_SLOTS - 1);
}

/* Does an entry frame of the interpreter's lie between the two addresses? */
static bool holds_entry_frame(const struct thread_state *thread, uintptr_t from, uintptr_t to)
{
    if (python_layout.heap_frames)
        return false;
    for (uint32_t level = thread->bottom; level < thread->depth; level++) {
        uintptr_t frame = thread->walked[level].frame;
        if (frame >= from && frame < to && frame_is_internal(frame))
            return true;
    }
    return false;
}

/* Steps from a frame to its caller; `rule` is the frame's. */
static bool step(const struct thread_state *thread, struct native_rule *rule,
                 struct native_registers *registers, uintptr_t limit)
{
    bool is_new;
    uintptr_t ip = registers->ip, sp = registers->sp;
    *rule = native_rule_of(ip, &is_new);
    bool stepped = native_step(rule, registers, limit);
    if (SHIM_UNLIKELY(is_new) && stepped && holds_entry_frame(thread, sp, registers->sp)) {
        rule->is_evaluation = 1;
        native_rule_mark_evaluation(ip);
    }
    return stepped;
}

/* The remembered level at a place, with the same address; -1: none. */
static int32_t find_level(const struct native_state *native, uintptr_t place, uintptr_t ip)
{
    uint32_t level = native->index[index_slot(place)];
    return level < native->used && native->levels[level].place == place &&
                   native->levels[level].value == ip
               ? (int32_t)level
               : -1;
}

static bool below_agree(const struct native_state *native, int32_t level)
{
    const struct native_load *levels = native->levels;
    uintptr_t differences = 0;
    for (int32_t i = level - 1; i >= (int32_t)native->bottom; i--)
        differences |= *(const uintptr_t *)levels[i].place ^ levels[i].value;
    return differences == 0;
}

/*
 * Collects new frames, innermost first. Returns the level on which they stand, -1 when they go down
 * to the end. *whole is false when there were more than fit.
 */
static int32_t collect(struct thread_state *thread, struct native_registers registers,
                       bool remembers, uint32_t most, uint32_t *count, bool *whole)
{
    struct native_state *native = thread->native;
    *count = 0;
    *whole = true;
    for (;;) {
        uintptr_t place = registers.sp - sizeof place;
        int32_t level = remembers ? find_level(native, place, registers.ip) : -1;
        if (level >= 0) {
            if (below_agree(native, level))
                return level;
            remembers = false;
        }
        if (*count == most) {
            *whole = false;
            return -1;
        }
        native->scratch[*count] = (struct native_load){place, registers.ip};
        if (!step(thread, &native->rules[(*count)++], &registers, native->stack_end))
            return -1;
    }
}

/* --- telling --- */

static uint64_t word_of(uintptr_t ip, const struct native_rule *rule, uint64_t evaluations)
{
    return evaluations << WIRE_NATIVE_LOOPS_SHIFT | (ip & WIRE_ADDRESS_MASK) |
           (rule->is_interpreter ? WIRE_NATIVE_INTERPRETER_BIT : 0);
}

/* The evaluation loops below level `base`. */
static uint64_t loops_below(const struct native_state *native, uint32_t base)
{
    if (base <= native->bottom)
        return 0;
    uint64_t loops = native->words[base - 1] >> WIRE_NATIVE_LOOPS_SHIFT & WIRE_NATIVE_LOOPS_MASK;
    return loops + native->is_loop[base - 1];
}

/* Puts the collected frames from level `base` up. Returns the lowest level that the reader has to
 * be told. */
static uint32_t place_levels(struct native_state *native, uint32_t base, uint32_t count)
{
    uint32_t changed = base + count;
    uint64_t loops = loops_below(native, base);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t level = base + i, from = count - 1 - i;
        const struct native_rule *rule = &native->rules[from];
        uint64_t word = word_of(native->scratch[from].value, rule, loops & WIRE_NATIVE_LOOPS_MASK);
        native->levels[level] = native->scratch[from];
        native->index[index_slot(native->levels[level].place)] = (uint16_t)level;
        native->words[level] = word;
        native->is_loop[level] = rule->is_evaluation;
        if (level < changed && (level >= native->sent || native->told[level] != word))
            changed = level;
        loops += rule->is_evaluation;
    }
    native->used = base + count;
    native->top = NULL;
    return changed;
}

/* Level 0 stands for what is left out. Returns false when the reader has to be told. */
static bool place_truncated(struct native_state *native)
{
    native->bottom = 1;
    native->levels[0] = (struct native_load){0};
    native->words[0] = WIRE_NATIVE_TRUNCATED;
    native->is_loop[0] = 0;
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
static bool tell(struct thread_state *thread, uint32_t changed)
{
    struct native_state *native = thread->native;
    if (changed >= native->used)
        return native->used == native->depth || send_levels(thread, 0, 0);
    for (uint32_t low = changed; low < native->used; low += LEVELS_PER_RECORD) {
        uint32_t left = native->used - low;
        if (!send_levels(thread, low, left < LEVELS_PER_RECORD ? left : LEVELS_PER_RECORD))
            return false;
    }
    return true;
}

static bool is_on_own_stack(const struct native_state *native,
                            const struct native_registers *registers)
{
    return registers->sp >= native->stack_start && registers->sp < native->stack_end;
}

/* Walks, and returns the lowest level that the reader has to be told. */
static uint32_t walk(struct thread_state *thread, struct native_registers registers)
{
    struct native_state *native = thread->native;
    uint32_t count;
    bool whole;
    if (!is_on_own_stack(native, &registers)) {
        native->used = 1;
        return place_truncated(native) ? 1 : 0;
    }
    int32_t level = collect(thread, registers, true, native->capacity / 2, &count, &whole);
    uint32_t base = (uint32_t)(level + 1);
    if (whole && base + count <= native->capacity) {
        if (level < 0)
            native->bottom = 0;
        return place_levels(native, base, count);
    }
    if (whole) /* it stands on too much that is remembered */
        collect(thread, registers, false, native->capacity / 2, &count, &whole);
    bool told = place_truncated(native);
    uint32_t changed = place_levels(native, 1, count);
    return told ? changed : 0;
}

/* --- chains --- */

static uint64_t first_word_of_chain(const struct thread_state *thread,
                                    const struct native_chain *chain, uint32_t level,
                                    uint32_t depth)
{
    uint64_t number = native_chain_number(thread->native->chains, chain);
    return wire_first(WIRE_CHAIN) | (uint64_t)thread->slot << WIRE_CHAIN_THREAD_SHIFT |
           number << WIRE_CHAIN_NUMBER_SHIFT | (uint64_t)level << WIRE_CHAIN_LEVEL_SHIFT | depth;
}

/* The level of the evaluation loop that a chain stands on; -1: on none that is known to be there.
 */
static int32_t base_of(const struct native_state *native, const struct native_chain *chain)
{
    int32_t base = find_level(native, chain->base.place, chain->base.value);
    bool stands = base >= 0 && below_agree(native, base) &&
                  loops_below(native, (uint32_t)base + 1) == chain->loops &&
                  (uint32_t)base + 1 + chain->count <= native->capacity;
    return stands ? base : -1;
}

static void place_chain(struct native_state *native, const struct native_chain *chain,
                        uint32_t level)
{
    for (uint32_t i = chain->count; i-- > 0; level++) {
        native->levels[level] = chain->returns[i];
        native->index[index_slot(chain->returns[i].place)] = (uint16_t)level;
        native->words[level] = native->told[level] = chain->words[i];
        native->is_loop[level] = i == chain->count - 1u;
    }
    native->used = native->depth = level;
    if (native->sent < level)
        native->sent = level;
    native->top = chain;
}

/* Updates by a chain. *told is false when there was one and its record could not be sent. */
static bool use_chain(struct thread_state *thread, const struct native_registers *registers,
                      bool *told)
{
    struct native_state *native = thread->native;
    uint64_t position;
    const struct native_chain *chain = native_chains_find(native->chains, registers);
    int32_t base = chain ? base_of(native, chain) : -1;
    *told = true;
    if (base < 0)
        return false;
    uint32_t level = (uint32_t)base + 1, depth = level + chain->count;
    if (native->top == chain && native->used == depth)
        return true;
    *told = ring_reserve(1, &position);
    if (*told) {
        ring_publish(position, first_word_of_chain(thread, chain, level, depth));
        place_chain(native, chain, level);
    }
    return true;
}

/* The innermost evaluation loop's level, where there are few enough levels above it; else -1. */
static int32_t find_loop(const struct native_state *native)
{
    int32_t lowest = (int32_t)native->used - (int32_t)WIRE_CHAIN_LEVELS_MAX;
    for (int32_t level = (int32_t)native->used - 1;
         level >= lowest && level > (int32_t)native->bottom; level--)
        if (native->is_loop[level])
            return level;
    return -1;
}

/* Makes a chain of the innermost evaluation loop's level and those above it, all of which the
 * reader has. False: it could not be told. */
static bool learn_chain(struct thread_state *thread, const struct native_registers *registers)
{
    struct native_state *native = thread->native;
    uint64_t position;
    int32_t level = find_loop(native);
    if (level < 0)
        return true;
    uint32_t count = native->used - (uint32_t)level;
    struct native_chain *chain = native_chains_learn(native->chains, registers, count,
                                                     native->levels[level - 1], native->stack_end);
    if (!chain)
        return true;
    chain->loops = loops_below(native, (uint32_t)level);
    for (uint32_t i = 0; i < count; i++)
        chain->words[i] = native->words[native->used - 1 - i];
    if (!ring_reserve(1, &position))
        return false;
    ring_publish(position, WIRE_CHAIN_KEEP_BIT |
                               first_word_of_chain(thread, chain, (uint32_t)level, native->used));
    native->top = chain;
    return true;
}

#ifdef HEAPLINE_CHECK_WALK
/* A plain walk is slow: not for every allocation. */
#define CHECK_EVERY 13u

static void check(const struct native_state *native, struct native_registers registers)
{
    static _Atomic uint32_t turn;
    uintptr_t *ips = (uintptr_t *)native->scratch; /* done with */
    if (native->bottom || atomic_fetch_add(&turn, 1) % CHECK_EVERY)
        return;
    uint32_t most = native->capacity;
    uint32_t count = native_walk_plainly(registers, native->stack_end, ips, most);
    bool agrees = count == native->used || count == most;
    for (uint32_t i = 0; agrees && i < count && i < native->used; i++)
        agrees = (native->told[native->used - 1 - i] & WIRE_ADDRESS_MASK) ==
                 (ips[i] & WIRE_ADDRESS_MASK);
    if (agrees)
        return;
    complain("walk check: the native stack is another one");
    abort();
}
#endif

static bool update(struct thread_state *thread, const struct native_registers *registers)
{
    struct native_state *native = thread->native;
    bool told, is_own = is_on_own_stack(native, registers);
    if (SHIM_LIKELY(is_own && use_chain(thread, registers, &told)))
        return told;
    if (!tell(thread, walk(thread, *registers)))
        return false;
    native->depth = native->used;
    if (native->sent < native->used)
        native->sent = native->used;
    return !is_own || learn_chain(thread, registers);
}

bool native_stack_update(struct thread_state *thread, uintptr_t frame)
{
    struct native_state *native = state_of(thread);
    if (!native)
        return false;
    const uintptr_t *saved = (const uintptr_t *)frame;
    struct native_registers registers = {
        .ip = saved[1], .sp = frame + 2 * sizeof *saved, .bp = saved[0]};
    if (!update(thread, &registers)) {
        thread->resend = true;
        return false;
    }
#ifdef HEAPLINE_CHECK_WALK
    check(native, registers);
#endif
    return true;
}
