/*
 * Building the records of the hot path. Every event first looks whether the reader's clock has
 * moved and whether the interpreter has begun to tear itself down, so that both marks stand before
 * the first event that they hold for.
 */
#include "preload/hooks/recorder.h"

#include <errno.h>

#include "preload/base/shim.h"
#include "preload/carrier/ring_writer.h"
#include "preload/native/native_walk.h"
#include "preload/python/python_layout.h"
#include "preload/python/python_walk.h"
#include "preload/thread/thread_state.h"
#ifdef HEAPLINE_CHECK_WALK
#include "preload/python/walk_check.h"
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

/* In a size: nothing was allocated. No block is as large. */
#define REFUSED_BIT ((size_t)1 << 63)

static size_t refused_size(size_t size)
{
    return size < WIRE_MARK_VALUE_MASK ? size : WIRE_MARK_VALUE_MASK;
}

/* What does not fit into an ALLOCATION of two words: a size with a word of its own, or a refusal,
 * whose mark has the change of depth elsewhere. */
static __attribute__((noinline)) bool send_rare(uint64_t first, uint64_t second, size_t size)
{
    bool refused = size & REFUSED_BIT;
    uint64_t position, change = first >> WIRE_DEPTH_CHANGE_SHIFT & WIRE_DEPTH_CHANGE_MASK;
    if (!ring_reserve(refused ? 2 : 3, &position))
        return false;
    if (refused) {
        ring_put(position + 1, (second & ~WIRE_NATIVE_STACK_BIT) | change << WIRE_SIZE_SHIFT);
        ring_publish(position, wire_first(WIRE_MARK) |
                                   (uint64_t)WIRE_MARK_REFUSED << WIRE_MARK_SHIFT |
                                   (size & WIRE_MARK_VALUE_MASK));
        return true;
    }
    ring_put(position + 2, size & WIRE_PAYLOAD_MASK);
    ring_put(position + 1, second);
    ring_publish(position, first | WIRE_WIDE_BIT);
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
    ring_publish_both(position, first, second);
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

/* By the same way as an allocation: the walk of the stack stands in the hot path once. */
__attribute__((cold)) void record_refusal(size_t size, unsigned busy, uintptr_t frame)
{
    if (size == 0 || errno != ENOMEM)
        return;
    record_allocation(NULL, refused_size(size) | REFUSED_BIT, 0, busy, frame);
    errno = ENOMEM;
}
