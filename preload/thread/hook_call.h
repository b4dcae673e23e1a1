/*
 * Entering and leaving a hook (what the guard says: shim.h). Every hook that allocates is:
 *
 *     struct hook_call call;
 *     if (!hook_enter(&call))
 *         return real(...);
 *     hook_call_real(&call);
 *     result = real(...);
 *     hook_record(&call);
 *     if (result) record_allocation(...);
 *     hook_leave(&call);
 */
#ifndef HEAPLINE_PRELOAD_HOOK_CALL_H
#define HEAPLINE_PRELOAD_HOOK_CALL_H

#include "assertion.h"
#include "preload/base/shim.h"

struct hook_call {
    uintptr_t self;   /* its own address, while it is at hand: a jump out of the hook leaves it to
                       * be overwritten */
    uintptr_t outer;  /* the guard of the call that a signal handler has interrupted; 0: none */
    uintptr_t frame;  /* the hook's */
    uint16_t busy;    /* how many of those below were at work themselves: which of the thread's
                       * states this call may use; SHIM_STATES: none */
    uint16_t is_held; /* only who holds the interpreter makes such a call, and nothing of its own is
                       * half done then: it may be asked (python_objects.h). As wide as the one
                       * before, so that one instruction sets both */
    uint16_t level;   /* of the interrupted call in shim_thread.below */
};

/* hook_enter() where the guard is set. */
bool hook_enter_guarded(struct hook_call *call);
/* hook_leave() of a signal handler's call. */
void hook_leave_interruption(const struct hook_call *call);

/* hook_enter() of a call that `is_held`; the constant costs nothing beside the one before it. */
static inline __attribute__((always_inline)) bool hook_enter_as(struct hook_call *call,
                                                                bool is_held)
{
    if (SHIM_UNLIKELY(!shim_gate_open()))
        return false;
    call->frame = (uintptr_t)__builtin_frame_address(0);
    *(volatile uintptr_t *)&call->self = (uintptr_t)call;
    if (SHIM_UNLIKELY(shim_thread.guard))
        return hook_enter_guarded(call);
    call->outer = 0;
    call->busy = 0;
    call->is_held = is_held;
    shim_guard_set((uintptr_t)call | SHIM_RECORDING);
    return true;
}

/* False: pass through, the call is part of another one or nothing is recorded. Otherwise the guard
 * says SHIM_RECORDING. */
static inline __attribute__((always_inline)) bool hook_enter(struct hook_call *call)
{
    return hook_enter_as(call, false);
}

/* The call at hand, whose guard is set. */
static inline const struct hook_call *hook_at_hand(void)
{
    return (const struct hook_call *)(shim_thread.guard & ~SHIM_BITS);
}

static inline __attribute__((always_inline)) void hook_call_real(const struct hook_call *call)
{
    shim_guard_set((uintptr_t)call);
}

/* Before the real free, or realloc, of a block that has been recorded. */
static inline __attribute__((always_inline)) void hook_call_real_free(const struct hook_call *call,
                                                                      const void *block)
{
    shim_thread.freeing = (uintptr_t)block;
    hook_call_real(call);
}

static inline void hook_record(const struct hook_call *call)
{
    shim_guard_set((uintptr_t)call | SHIM_RECORDING);
}

static inline void hook_leave(const struct hook_call *call)
{
    ASSERT(call->self == (uintptr_t)call);
    if (SHIM_UNLIKELY(call->outer)) {
        hook_leave_interruption(call);
        return;
    }
    shim_thread.freeing = 0;
    shim_guard_set(0);
}

/* Work of the shim's own that is no call of the program's, also in a signal handler: afterwards
 * hook_leave(). False: handlers are nested too deep. */
bool hook_begin_work(struct hook_call *call);

/* When a thread ends, maybe before destructors that allocate: its states are given back. */
void hook_thread_ends(void *nothing);

#endif
