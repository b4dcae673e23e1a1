/*
 * Building the records of the hot path. Every event first looks whether the reader's clock has
 * moved and whether the interpreter has begun to tear itself down, so that both marks stand before
 * the first event that they hold for.
 */
#include "recorder.h"

#include <errno.h>

#include "native_walk.h"
#include "python_layout.h"
#include "python_walk.h"
#include "ring_writer.h"
#include "shim.h"
#include "thread_state.h"
#ifdef HEAPLINE_CHECK_WALK
#include "walk_check.h"
#endif

static _Atomic bool teardown_marked;

/* Between the end of the main thread's code and the teardown this is asked at each event. */
static void mark_teardown(bool begun)
{
    if (begun && !python_teardown_begun())
        return;
    if (atomic_exchange(&teardown_marked, begun) != begun && begun)
        ring_send_mark(WIRE_MARK_PROGRAM_END, 0);
}

static inline void look_around(void)
{
    ring_tick();
    bool begun = *python_layout.may_finalize != NULL;
    if (SHIM_UNLIKELY(begun != atomic_load_explicit(&teardown_marked, memory_order_relaxed)))
        mark_teardown(begun);
}

static inline uint64_t address_of(const void *block)
{
    return (uint64_t)(uintptr_t)block & WIRE_ADDRESS_MASK;
}

/* The state that is free, made when there is none; null: none is. */
static inline struct thread_state *state_for(unsigned busy)
{
    if (SHIM_UNLIKELY(busy == SHIM_STATES))
        return NULL;
    struct thread_state *thread = shim_thread.states[busy];
    return SHIM_LIKELY(thread != NULL) ? thread : thread_state_acquire(busy);
}

/* An ALLOCATION whose size has a word of its own. */
static __attribute__((noinline)) bool send_wide(uint64_t first, uint64_t second, size_t size)
{
    uint64_t position;
    if (!ring_reserve(3, &position))
        return false;
    ring_put(position + 2, size & WIRE_PAYLOAD_MASK);
    ring_put(position + 1, second);
    ring_publish(position, first | WIRE_WIDE_BIT);
    return true;
}

/* Sends an ALLOCATION. */
static inline bool send_allocation(uint64_t first, uint64_t second, size_t size)
{
    uint64_t position;
    if (SHIM_UNLIKELY(size > WIRE_SIZE_MASK))
        return send_wide(first, second, size);
    if (SHIM_UNLIKELY(!ring_reserve(2, &position)))
        return false;
    ring_put(position + 1, second | (uint64_t)size << WIRE_SIZE_SHIFT);
    ring_publish(position, first);
    return true;
}

/* What an ALLOCATION's second word says of a thread and its stack, but for native levels. */
static inline uint64_t second_word(const struct thread_state *thread,
                                   const struct stack_update *update)
{
    uint64_t word = (uint64_t)(thread ? thread->slot : WIRE_THREAD_SHARED_SLOT)
                    << WIRE_THREAD_SHIFT;
    if (SHIM_UNLIKELY(!update->known))
        word |= WIRE_NO_STACK_BIT;
    else if (update->instruction_changed)
        word |= WIRE_INSTRUCTION_BIT | update->instruction;
    return word;
}

/* Without a stack there is no change. */
static inline uint64_t biased_change(const struct stack_update *update)
{
    return (uint64_t)(update->depth_change + WIRE_DEPTH_CHANGE_BIAS);
}

void record_allocation(const void *block, size_t size, enum wire_allocator allocator, unsigned busy,
                       uintptr_t frame)
{
    look_around();
    uint64_t first = wire_first(WIRE_ALLOCATION) | (uint64_t)allocator << WIRE_ALLOCATOR_SHIFT |
                     address_of(block);
    struct thread_state *thread = state_for(busy);
    struct stack_update update = {0};
    if (SHIM_LIKELY(thread != NULL))
        python_stack_update(thread, &update);
    uint64_t second = second_word(thread, &update);
    if (SHIM_UNLIKELY(native_walk_enabled) && thread && !thread->resend &&
        native_stack_update(thread, frame, update.known))
        second |= WIRE_NATIVE_STACK_BIT;
    first |= biased_change(&update) << WIRE_DEPTH_CHANGE_SHIFT;
    if (SHIM_UNLIKELY(!send_allocation(first, second, size)) && update.known)
        thread->resend = true;
#ifdef HEAPLINE_CHECK_WALK
    else if (update.known)
        walk_check(thread, &update);
#endif
}

void record_free(const void *block)
{
    look_around();
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
    ring_send_word(first_of_pair(WIRE_REALLOC_FREE, block, busy));
}

void record_realloc_failed(const void *block, unsigned busy)
{
    ring_send_word(first_of_pair(WIRE_REALLOC_FAILED, block, busy));
}

static void send_unmap(const void *start, uint64_t second, unsigned busy)
{
    uint64_t position, first = first_of_pair(WIRE_UNMAP, start, busy);
    if (!ring_reserve(2, &position))
        return;
    ring_put(position + 1, second);
    ring_publish(position, first);
}

void record_unmap(const void *start, size_t bytes, unsigned busy)
{
    look_around();
    send_unmap(start, bytes, busy);
}

void record_unmap_failed(const void *start, size_t bytes, unsigned busy)
{
    send_unmap(start, bytes | WIRE_UNMAP_FAILED_BIT, busy);
}

__attribute__((cold)) void record_refusal(size_t size, unsigned busy)
{
    if (size == 0 || errno != ENOMEM)
        return;
    look_around();
    uint64_t value = size < WIRE_MARK_VALUE_MASK ? size : WIRE_MARK_VALUE_MASK, position;
    struct thread_state *thread = state_for(busy);
    struct stack_update update = {0};
    if (thread)
        python_stack_update(thread, &update);
    if (ring_reserve(2, &position)) {
        ring_put(position + 1, second_word(thread, &update) | biased_change(&update)
                                                                  << WIRE_SIZE_SHIFT);
        ring_publish(position, wire_first(WIRE_MARK) |
                                   (uint64_t)WIRE_MARK_REFUSED << WIRE_MARK_SHIFT | value);
    } else if (update.known) {
        thread->resend = true;
    }
    errno = ENOMEM;
}
