/*
 * Building the records of the hot path. Every event first looks whether the reader's clock has
 * moved and whether the interpreter has begun to tear itself down, so that both marks stand before
 * the first event that they hold for.
 */
#include "preload/hooks/recorder.h"

#include <errno.h>

#include "preload/base/shim.h"
#include "preload/carrier/places.h"
#include "preload/carrier/ring_writer.h"
#include "preload/hooks/presence.h"
#include "preload/native/native_walk.h"
#include "preload/python/python_layout.h"
#include "preload/python/python_walk.h"
#include "preload/thread/thread_state.h"
#ifdef HEAPLINE_CHECK_WALK
#include "preload/python/walk_check.h"
#endif

static inline uint64_t address_of(const void *block)
{
    return (uint64_t)(uintptr_t)block & WIRE_ADDRESS_MASK;
}

/* A record of continuation words alone, whose number is below EXTENDED_WORDS_MAX. */
#define EXTENDED_WORDS_MAX 3u
static void send_words(uint64_t first, const uint64_t *words, unsigned count)
{
    uint64_t position;
    ASSERT(count <= EXTENDED_WORDS_MAX);
    if (!ring_reserve(1 + count, &position))
        return;
    for (unsigned i = count; i > 0; i--)
        ring_put(position + i, words[i - 1]);
    ring_publish(position, first);
}

static void tell_present(const void *block, uint64_t present)
{
    send_words(wire_extended(WIRE_EXTENDED_PRESENT, 2), (uint64_t[]){address_of(block), present},
               2);
}

static void tell_looked(bool all)
{
    if (all)
        ring_send_word(wire_extended(WIRE_EXTENDED_LOOKED, 0));
}

static _Atomic bool teardown_marked;

/* Between the end of the main thread's code and the teardown this is asked at each event. What
 * large blocks have in memory is told then, for nobody may look at them again. */
static void mark_teardown(bool begun)
{
    if (begun && !python_teardown_begun())
        return;
    if (atomic_exchange(&teardown_marked, begun) != begun && begun) {
        tell_looked(presence_look_at_all(tell_present));
        place_tell_own();
        ring_send_mark(WIRE_MARK_PROGRAM_END, 0);
        if (presence_may_ask())
            ring_settle(); /* it is looked at as it stands now */
    }
}

static inline void look_around(void)
{
    ring_tick();
    bool begun = *python_layout.may_finalize != NULL;
    if (SHIM_UNLIKELY(begun != atomic_load_explicit(&teardown_marked, memory_order_relaxed)))
        mark_teardown(begun);
}

/* The state that is free, made when there is none; null: none is. */
static inline struct thread_state *state_for(unsigned busy)
{
    if (SHIM_UNLIKELY(busy == SHIM_STATES))
        return NULL;
    struct thread_state *thread = shim_thread.states[busy];
    return SHIM_LIKELY(thread != NULL) ? thread : thread_state_acquire(busy);
}

/* In a size, which no block has: nothing was allocated; or what was reserved is accessible. */
#define REFUSED_BIT    ((size_t)1 << 63)
#define ACCESSIBLE_BIT ((size_t)1 << 62)
#define SIZE_BITS      (REFUSED_BIT | ACCESSIBLE_BIT)

static size_t refused_size(size_t size)
{
    return size < WIRE_MARK_VALUE_MASK ? size : WIRE_MARK_VALUE_MASK;
}

static void send_refused(uint64_t position, uint64_t stack, size_t size)
{
    ring_put(position + 1, stack);
    ring_publish(position, wire_first(WIRE_MARK) | (uint64_t)WIRE_MARK_REFUSED << WIRE_MARK_SHIFT |
                               (size & WIRE_MARK_VALUE_MASK));
}

static void send_accessible(uint64_t position, uint64_t stack, uint64_t address, size_t size)
{
    ring_put(position + 1, stack);
    ring_put(position + 2, address);
    ring_put(position + 3, size & ~SIZE_BITS);
    ring_publish(position, wire_extended(WIRE_EXTENDED_ACCESSIBLE, 3));
}

static void send_wide(uint64_t position, uint64_t first, uint64_t second, size_t size)
{
    ring_put(position + 2, size & WIRE_PAYLOAD_MASK);
    ring_put(position + 1, second);
    ring_publish(position, first | WIRE_WIDE_BIT);
    if (!allocator_is_apart(first >> WIRE_ALLOCATOR_SHIFT & WIRE_ALLOCATOR_MASK))
        presence_note((const void *)(uintptr_t)(first & WIRE_ADDRESS_MASK), size);
}

/* What does not fit into an ALLOCATION of two words: a size with a word of its own; or what is none
 * and has a stack nevertheless, whose change of depth stands in the place of the size. */
static __attribute__((noinline)) bool send_rare(uint64_t first, uint64_t second, size_t size)
{
    uint64_t position, change = first >> WIRE_DEPTH_CHANGE_SHIFT & WIRE_DEPTH_CHANGE_MASK;
    uint64_t stack = (second & ~WIRE_NATIVE_STACK_BIT) | change << WIRE_SIZE_SHIFT;
    if (!ring_reserve(size & REFUSED_BIT ? 2 : size & ACCESSIBLE_BIT ? 4 : 3, &position))
        return false;
    if (size & REFUSED_BIT)
        send_refused(position, stack, size);
    else if (size & ACCESSIBLE_BIT)
        send_accessible(position, second | change << WIRE_SIZE_SHIFT, first & WIRE_ADDRESS_MASK,
                        size);
    else
        send_wide(position, first, second, size);
    return true;
}

/* Sends an ALLOCATION, or a refusal. */
static inline bool send_allocation(uint64_t first, uint64_t second, size_t size)
{
    uint64_t position;
    if (SHIM_UNLIKELY(size > WIRE_SIZE_MASK))
        return send_rare(first, second, size);
    if (SHIM_UNLIKELY(!ring_reserve(2, &position)))
        return false;
    ring_publish_both(position, first, second | (uint64_t)size << WIRE_SIZE_SHIFT);
    return true;
}

void record_allocation(const void *block, size_t size, unsigned allocator, unsigned busy,
                       uintptr_t frame)
{
    look_around();
    uint64_t first = wire_first(WIRE_ALLOCATION) | (uint64_t)allocator << WIRE_ALLOCATOR_SHIFT |
                     address_of(block);
    struct thread_state *thread = state_for(busy);
    struct stack_update update = {0};
    if (SHIM_LIKELY(thread != NULL))
        python_stack_update(thread, &update);
    uint64_t second = (uint64_t)(thread ? thread->slot : WIRE_THREAD_SHARED_SLOT)
                      << WIRE_THREAD_SHIFT;
    if (SHIM_UNLIKELY(shim_walks_native) && thread && !thread->resend &&
        native_stack_update(thread, frame, update.known))
        second |= WIRE_NATIVE_STACK_BIT;
    if (SHIM_UNLIKELY(!update.known))
        second |= WIRE_NO_STACK_BIT;
    else if (update.instruction_changed)
        second |= WIRE_INSTRUCTION_BIT | update.instruction;
    /* Without a stack there is no change. */
    first |= (uint64_t)(update.depth_change + WIRE_DEPTH_CHANGE_BIAS) << WIRE_DEPTH_CHANGE_SHIFT;
    if (SHIM_UNLIKELY(!send_allocation(first, second, size)) && update.known)
        thread->resend = true;
#ifdef HEAPLINE_CHECK_WALK
    else if (update.known)
        walk_check(thread, &update);
#endif
}

/* A large block is about to go. */
static __attribute__((noinline, cold)) void look_at(const void *block)
{
    tell_looked(presence_look_at_others(tell_present));
    uint64_t present = presence_take(block);
    if (present != PRESENCE_UNKNOWN)
        tell_present(block, present);
}

void record_free(const void *block)
{
    look_around();
    if (presence_knows(block))
        look_at(block);
    ring_send_word(wire_first(WIRE_FREE) | address_of(block));
}

/* The first word of a record that may be taken back by another one: it carries enough of the thread
 * to pair them. */
static uint64_t first_of_pair(enum wire_kind kind, const void *block, unsigned busy)
{
    const struct thread_state *thread = state_for(busy);
    uint64_t slot = thread ? thread->slot : WIRE_THREAD_SHARED_SLOT;
    return wire_first(kind) | (slot & WIRE_REALLOC_THREAD_MASK) << WIRE_REALLOC_THREAD_SHIFT |
           address_of(block);
}

void record_realloc_free(const void *block, unsigned busy)
{
    look_around();
    if (presence_knows(block))
        look_at(block);
    ring_send_word(first_of_pair(WIRE_REALLOC_FREE, block, busy));
}

void record_realloc_failed(const void *block, unsigned busy)
{
    ring_send_word(first_of_pair(WIRE_REALLOC_FAILED, block, busy));
}

uint64_t recorder_look(const void *start, size_t bytes)
{
    if (bytes < WIRE_LARGE_BYTES)
        return PRESENCE_UNKNOWN;
    tell_looked(presence_look_at_others(tell_present));
    return presence_look(start, bytes);
}

/* Of a range: its bytes with bits, and what of it is in memory where that is known. */
struct told_range {
    uint64_t words[2];
    unsigned count;
};

static struct told_range tell_range(uint64_t bytes, uint64_t present)
{
    bool looked = present != PRESENCE_UNKNOWN;
    return (struct told_range){{bytes | (looked ? WIRE_LOOKED_BIT : 0), present}, 1 + looked};
}

void record_unmap(const void *start, size_t bytes, unsigned busy)
{
    struct told_range told = tell_range(bytes, recorder_look(start, bytes));
    look_around();
    send_words(first_of_pair(WIRE_UNMAP, start, busy), told.words, told.count);
}

void record_unmap_failed(const void *start, size_t bytes, unsigned busy)
{
    uint64_t word = bytes | WIRE_UNMAP_FAILED_BIT;
    send_words(first_of_pair(WIRE_UNMAP, start, busy), &word, 1);
}

void record_emptied(const void *start, size_t bytes, uint64_t present, bool lazily)
{
    struct told_range told = tell_range(bytes | (lazily ? WIRE_LAZILY_BIT : 0), present);
    uint64_t words[] = {address_of(start), told.words[0], told.words[1]};
    look_around();
    send_words(wire_extended(WIRE_EXTENDED_EMPTIED, 1 + told.count), words, 1 + told.count);
}

void record_accessible(const void *start, size_t bytes, unsigned busy, uintptr_t frame)
{
    record_allocation(start, bytes | ACCESSIBLE_BIT, 0, busy, frame);
}

/* By the same way as an allocation: the walk of the stack stands in the hot path once. */
__attribute__((cold)) void record_refusal(size_t size, unsigned busy, uintptr_t frame)
{
    if (size == 0 || errno != ENOMEM)
        return;
    record_allocation(NULL, refused_size(size) | REFUSED_BIT, 0, busy, frame);
    errno = ENOMEM;
}
