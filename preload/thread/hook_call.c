/*
 * The rare paths of the hooks: a call that meets a set guard.
 *
 * It is a step of the call at hand, or a signal handler's, or the call at hand has been left
 * without hook_leave(): by siglongjmp() out of a handler, by an exception that a foreign allocator
 * has thrown. Left for certain it is
 * - when this call's frame lies further out on the thread's own stack than that of the call at
 *   hand, and no handler runs on an alternate stack;
 * - when what the call at hand keeps in its frame has been overwritten.
 * Then what it had begun is brought to an end: its reservation in the ring is filled, and what it
 * has changed of the thread's state is sent anew. Where it cannot be told (a context that was
 * switched away from in a handler may come back) the guard stays, and further calls are recorded
 * like those of a handler.
 *
 * A handler's call puts the guard that it meets into shim_thread.below and takes it back when it
 * leaves; a thread's further states are there for those that interrupt the use of the first.
 */
#include "preload/thread/hook_call.h"

#include <signal.h>

#include "preload/arch/processor.h"
#include "preload/base/signals.h"
#include "preload/carrier/ring_writer.h"
#include "preload/thread/thread_state.h"

/* The real allocators use far less stack than this below the hook that called them. */
#define NESTED_STACK_BYTES ((uintptr_t)256 * 1024)
/* What is surely the thread's own stack, counted from its end; smaller stacks are not made, or
 * nothing that could be taken for them lies so near. */
#define MAIN_STACK_BYTES   ((uintptr_t)8 << 20)
#define THREAD_STACK_BYTES ((uintptr_t)1 << 20)

/* So much below its end every thread that allocates has of its own. */
#define THREAD_STACK_LEAST ((uintptr_t)32 << 10)
#define PAGE_SHIFT         12

/* Where the main thread's stack ends (glibc's loader). */
extern void *__libc_stack_end;

/* On the stack of the thread? */
static bool is_on_own_stack(uintptr_t address)
{
    return (uintptr_t)__libc_stack_end - address < MAIN_STACK_BYTES ||
           processor_thread_pointer() - address < THREAD_STACK_BYTES;
}

static bool is_on_signal_stack(void)
{
    stack_t now;
    return sigaltstack(NULL, &now) != 0 || now.ss_flags & SS_ONSTACK;
}

static uintptr_t address_of(uintptr_t guard)
{
    return guard & ~SHIM_BITS;
}

static bool is_below(uintptr_t guard, uintptr_t frame)
{
    return address_of(guard) - frame <= NESTED_STACK_BYTES;
}

/* Is a call's frame there for certain, seen from `frame` not far below it? A stack that a program
 * has made for itself may have ended between the two. */
static bool is_surely_there(uintptr_t call, uintptr_t frame)
{
    return !((call ^ frame) >> PAGE_SHIFT) ||
           ((uintptr_t)__libc_stack_end - frame < MAIN_STACK_BYTES &&
            (uintptr_t)__libc_stack_end - call < MAIN_STACK_BYTES) ||
           (processor_thread_pointer() - frame < THREAD_STACK_LEAST &&
            processor_thread_pointer() - call < THREAD_STACK_LEAST);
}

/* Has it been written over, or is it gone? */
static bool is_overwritten(uintptr_t call, uintptr_t frame)
{
    bool is_there = is_surely_there(call, frame) || signals_can_read((const void *)call);
    return !is_there || ((const struct hook_call *)call)->self != call;
}

/* Has the call that set the guard been left? `frame` is of a call now. */
static bool is_stale(uintptr_t guard, uintptr_t frame)
{
    uintptr_t call = address_of(guard);
    if (is_below(guard, frame))
        return is_overwritten(call, frame);
    return frame > call && is_on_own_stack(frame) && is_on_own_stack(call) && !shim_is_sealed() &&
           !is_on_signal_stack();
}

/* How many of the interrupted calls were at work themselves. */
static unsigned count_busy(void)
{
    unsigned busy = 0;
    ASSERT(shim_thread.interruptions <= SHIM_INTERRUPTIONS_MAX);
    for (uint32_t i = 0; i < shim_thread.interruptions; i++)
        busy += shim_thread.below[i].guard & SHIM_RECORDING;
    return busy < SHIM_STATES ? busy : SHIM_STATES;
}

/* Goes back to the call outside of the one at hand, or to none. */
static void step_out(void)
{
    struct shim_thread *thread = &shim_thread;
    struct shim_interrupted outer = {0};
    if (thread->interruptions)
        outer = thread->below[--thread->interruptions];
    thread->freeing = outer.freeing;
    ring_note(outer.reserved);
    shim_guard_set(outer.guard);
}

/* Ends the call at hand, which has been left. */
static void abandon_call(void)
{
    uint64_t reserved = ring_noted();
    bool worked = shim_thread.guard & SHIM_RECORDING;
    step_out();
    if (!worked)
        return;
    ring_close(reserved);
    unsigned busy = count_busy() + (shim_thread.guard & SHIM_RECORDING);
    if (busy < SHIM_STATES && shim_thread.states[busy])
        thread_state_forget(shim_thread.states[busy]);
}

/* The guard, once calls that have been left are out of the way. */
static uintptr_t find_guard(uintptr_t frame)
{
    uintptr_t guard = shim_thread.guard;
    while (guard && SHIM_UNLIKELY(is_stale(guard, frame))) {
        struct signals signals = signals_block();
        if (shim_thread.guard == guard) /* else a handler has been quicker */
            abandon_call();
        signals_restore(signals);
        guard = shim_thread.guard;
    }
    return guard;
}

/* Puts the call at hand aside. */
static bool interrupt_call(struct hook_call *call, uintptr_t guard)
{
    struct shim_thread *thread = &shim_thread;
    uint32_t level = thread->interruptions;
    if (level == SHIM_INTERRUPTIONS_MAX) {
        ring_count_dropped();
        return false;
    }
    thread->below[level] = (struct shim_interrupted){guard, thread->freeing, ring_noted()};
    atomic_signal_fence(memory_order_seq_cst);
    thread->interruptions = level + 1;
    call->outer = guard;
    call->level = (uint16_t)level;
    call->busy = (uint16_t)count_busy();
    call->is_held = false;
    shim_guard_set((uintptr_t)call | SHIM_RECORDING);
    return true;
}

static bool enter_now(struct hook_call *call)
{
    call->outer = 0;
    call->busy = 0;
    call->is_held = false;
    shim_guard_set((uintptr_t)call | SHIM_RECORDING);
    return true;
}

static __attribute__((noinline)) bool enter_interrupting(struct hook_call *call)
{
    uintptr_t guard = find_guard(call->frame);
    if (!guard)
        return enter_now(call);
    bool is_handlers = (guard & (SHIM_RECORDING | SHIM_LIBRARY)) == SHIM_RECORDING;
    return (is_handlers || !is_below(guard, call->frame)) && interrupt_call(call, guard);
}

bool hook_enter_guarded(struct hook_call *call)
{
    /* Most are steps of the call at hand, which has not been left. */
    uintptr_t guard = shim_thread.guard;
    if (SHIM_LIKELY(!(guard & SHIM_BITS) && is_below(guard, call->frame) &&
                    is_surely_there(guard, call->frame) &&
                    ((const struct hook_call *)guard)->self == guard))
        return false;
    return enter_interrupting(call);
}

void hook_leave_interruption(const struct hook_call *call)
{
    ASSERT(call->level < SHIM_INTERRUPTIONS_MAX && call->busy <= SHIM_STATES);
    const struct shim_interrupted *outer = &shim_thread.below[call->level];
    shim_thread.freeing = outer->freeing;
    ring_note(outer->reserved);
    /* In this order: who jumps out between finds the same call twice, and no other one. */
    shim_guard_set(call->outer);
    shim_thread.interruptions = call->level;
}

bool hook_begin_work(struct hook_call *call)
{
    call->frame = (uintptr_t)__builtin_frame_address(0);
    *(volatile uintptr_t *)&call->self = (uintptr_t)call;
    uintptr_t guard = find_guard(call->frame);
    return guard ? interrupt_call(call, guard) : enter_now(call);
}

void hook_thread_ends(void *nothing)
{
    (void)nothing;
    struct hook_call call;
    if (!hook_begin_work(&call))
        return;
    struct signals signals = signals_block();
    thread_state_give_back();
    ring_note_give_back();
    signals_restore(signals);
    hook_leave(&call);
}
