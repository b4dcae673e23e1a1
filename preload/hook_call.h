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

#include "recorder.h"
#include "shim.h"

struct hook_call {
    uintptr_t outer; /* guard and block to go back to */
    uintptr_t outer_freeing;
    uintptr_t frame;   /* the hook's */
    bool interrupting; /* a signal handler's call while the shim itself worked, see recorder.h */
};

/* What CPython's debug hooks put before a block (2 * sizeof(size_t), Objects/obmalloc.c). No two
 * blocks of glibc's lie so close. */
#define HOOK_HEADER_BYTES ((uintptr_t)16)

/*
 * True for a free inside another call that is none of its steps, because it frees something else:
 * tracemalloc drops its own tables inside the free of a block. What the allocator frees of its own
 * at such a time was allocated inside a call too, so the reader has never seen it.
 */
static inline bool hook_frees_other(const void *block)
{
    return ((shim_thread.freeing - (uintptr_t)block) & ~HOOK_HEADER_BYTES) != 0;
}

/* False: pass through, the call is part of another one or nothing is recorded. Otherwise the guard
 * is at SHIM_RECORDING. */
static inline __attribute__((always_inline)) bool hook_enter(struct hook_call *call)
{
    if (SHIM_UNLIKELY(!shim_gate_open()))
        return false;
    uintptr_t guard = shim_thread.guard;
    call->outer = guard;
    call->frame = (uintptr_t)__builtin_frame_address(0);
    call->outer_freeing = shim_thread.freeing;
    call->interrupting = guard & SHIM_RECORDING;
    if (SHIM_UNLIKELY(guard) && !shim_is_interruption(guard, (uintptr_t)__builtin_frame_address(0)))
        return false;
    shim_guard_set(SHIM_RECORDING);
    return true;
}

static inline __attribute__((always_inline)) void hook_call_real(struct hook_call *call)
{
    (void)call; /* only to say that hook_enter() comes first */
    shim_guard_set((uintptr_t)__builtin_frame_address(0));
}

/* Before the real free, or realloc, of a block that has been recorded. */
static inline __attribute__((always_inline)) void hook_call_real_free(struct hook_call *call,
                                                                      const void *block)
{
    shim_thread.freeing = (uintptr_t)block;
    hook_call_real(call);
}

static inline void hook_record(struct hook_call *call)
{
    (void)call;
    shim_guard_set(SHIM_RECORDING);
}

static inline void hook_leave(struct hook_call *call)
{
    shim_thread.freeing = call->outer_freeing;
    shim_guard_set(call->outer);
}

/* A free of `block` (not null) that hook_enter() lets pass: records it when it is a free of its
 * own. */
void hook_pass_free(const void *block);

#endif
