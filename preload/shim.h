/*
 * What every file of the shim shares: attributes, the gate that says whether to record, and the
 * thread-local guard that tells an outermost call from a nested one.
 *
 * Rules for all of preload/: no allocation from the heap it watches, no stdio, no lock held across
 * a call into libc, the loader or the interpreter, errno as the real call left it, small stack
 * frames (hooks run on alternate signal stacks too).
 */
#ifndef HEAPLINE_PRELOAD_SHIM_H
#define HEAPLINE_PRELOAD_SHIM_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SHIM_EXPORT      __attribute__((visibility("default")))
#define SHIM_LIKELY(x)   __builtin_expect(!!(x), 1)
#define SHIM_UNLIKELY(x) __builtin_expect(!!(x), 0)
/* Initial-exec: the lazy model allocates at first use, inside a hook. */
#define SHIM_THREAD_LOCAL __thread __attribute__((tls_model("initial-exec")))

/*
 * The gate stands alone on its page, which is wiped in a child by fork or clone without CLONE_VM
 * (MADV_WIPEONFORK). So a child is untraced from its first instruction, however it was made, and a
 * vfork child, which shares the parent's memory, stays part of the parent.
 */
#define SHIM_PAGE_BYTES 4096
struct shim_gate {
    _Alignas(SHIM_PAGE_BYTES) _Atomic uint32_t open; /* 1: record */
};
_Static_assert(sizeof(struct shim_gate) == SHIM_PAGE_BYTES, "the gate fills its page");
extern struct shim_gate shim_gate;

/*
 * The guard: 0 outside of hooks; SHIM_RECORDING while the shim itself works; else the frame address
 * of the hook that has called the real allocator. While it holds an address, a further call is part
 * of the same logical call, unless it comes on another stack: then a signal handler has interrupted
 * the allocator. While it is SHIM_RECORDING, a further call can only come from a signal handler,
 * for the shim allocates nothing. A library that the shim asks may allocate: then the guard is
 * both, a frame address and SHIM_RECORDING in its lowest bit.
 */
struct shim_thread {
    uintptr_t guard;
    uintptr_t freeing; /* the block that the call at hand frees, as it was recorded; 0: none */
    struct thread_state *state; /* null before the thread's first event */
};
extern SHIM_THREAD_LOCAL struct shim_thread shim_thread;

#define SHIM_RECORDING ((uintptr_t)1)
/* The real allocators use far less stack than this below the hook that called them. */
#define SHIM_NESTED_STACK_BYTES ((uintptr_t)256 * 1024)

static inline bool shim_gate_open(void)
{
    return atomic_load_explicit(&shim_gate.open, memory_order_relaxed) != 0;
}

static inline void shim_guard_set(uintptr_t value)
{
    /* Signal handlers of this thread read it: the compiler must not move work across. */
    atomic_signal_fence(memory_order_seq_cst);
    *(volatile uintptr_t *)&shim_thread.guard = value;
    atomic_signal_fence(memory_order_seq_cst);
}

/* Before the shim asks a library from the function with this frame. Returns the guard as it was,
 * for shim_guard_set() afterwards. */
static inline uintptr_t shim_guard_set_inside(uintptr_t frame)
{
    uintptr_t guard = shim_thread.guard;
    shim_guard_set(frame | SHIM_RECORDING);
    return guard;
}

/* True when a call that meets a set guard is a logical call of its own. */
static inline bool shim_is_interruption(uintptr_t guard, uintptr_t frame)
{
    return guard - frame > SHIM_NESTED_STACK_BYTES; /* also where the guard has no address */
}

#endif
