/*
 * Entering and leaving a hook. Every hook that allocates is:
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

#include "shim.h"

struct hook_call {
    uintptr_t outer;   /* the guard to go back to */
    bool interrupting; /* a signal handler's call, see shim.h */
};

/* False: pass through, the call is part of another one or nothing is recorded. Otherwise the guard
 * is at SHIM_RECORDING. */
static inline __attribute__((always_inline)) bool hook_enter(struct hook_call *call)
{
    if (SHIM_UNLIKELY(!shim_gate_open()))
        return false;
    uintptr_t guard = shim_thread.guard;
    call->outer = guard;
    call->interrupting = false;
    if (SHIM_UNLIKELY(guard)) {
        if (!shim_is_interruption(guard, (uintptr_t)__builtin_frame_address(0)))
            return false;
        call->interrupting = true;
    }
    shim_guard_set(SHIM_RECORDING);
    return true;
}

static inline __attribute__((always_inline)) void hook_call_real(struct hook_call *call)
{
    (void)call;
    shim_guard_set((uintptr_t)__builtin_frame_address(0));
}

static inline void hook_record(struct hook_call *call)
{
    (void)call;
    shim_guard_set(SHIM_RECORDING);
}

static inline void hook_leave(struct hook_call *call)
{
    shim_guard_set(call->outer);
}

#endif
