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

#define SHIM_EXPORT __attribute__((visibility("default")))
/* Exports a hook's body, NAME_hook(), under the name of the function that it stands for. Headers
 * declare the bodies, so that a call can also come to one in another way; the shim's own do. */
#define SHIM_HOOK(name)                                                                            \
    SHIM_EXPORT __typeof__(name##_hook) name __attribute__((alias(#name "_hook")))
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
    _Alignas(SHIM_PAGE_BYTES) _Atomic uint32_t open; /* enum shim_gate_state */
};
enum shim_gate_state {
    SHIM_GATE_SHUT = 0,
    SHIM_GATE_OPEN = 1,
    SHIM_GATE_WATCHED = 2, /* open; what is written is looked at first (ring_writer.h) */
};
_Static_assert(sizeof(struct shim_gate) == SHIM_PAGE_BYTES, "the gate fills its page");
extern struct shim_gate shim_gate;

/*
 * The guard: 0 outside of hooks; else the address of the struct hook_call (hook_call.h) of the call
 * at hand, which lies in the hook's frame, with bits that say what the call is doing. Without a bit
 * it has called the real allocator: a further call is part of the same logical call, unless it
 * comes on another stack; then a signal handler has interrupted the allocator. With SHIM_RECORDING
 * the shim itself works and allocates nothing: a further call is a signal handler's. With
 * SHIM_LIBRARY too it asks a library, whose calls are passed through. With SHIM_FREES too that
 * library may free what the program has allocated, and its frees are recorded.
 *
 * Whoever jumps out of a hook (a handler by siglongjmp(), an exception of a foreign allocator)
 * leaves the guard set. hook_call.c finds out.
 */
#define SHIM_RECORDING ((uintptr_t)1)
#define SHIM_LIBRARY   ((uintptr_t)2)
#define SHIM_FREES     ((uintptr_t)4)
#define SHIM_BITS      ((uintptr_t)7)

/* Calls that signal handlers have interrupted, one in another. Deeper ones are not recorded. */
#define SHIM_INTERRUPTIONS_MAX 8u
/* Of a thread, and of what its handlers do while that one is in use, and so on. */
#define SHIM_STATES (SHIM_INTERRUPTIONS_MAX + 1)

struct shim_interrupted {
    uintptr_t guard, freeing;
    uint64_t reserved;
};

struct shim_thread {
    uintptr_t guard;
    uintptr_t freeing; /* the block that the call at hand frees, as it was recorded; 0: none */
    struct ring_note
        *note; /* what it reserves in the ring (ring_writer.h); null before the first */
    struct thread_state *states[SHIM_STATES]; /* null before the first event */
    uint32_t interruptions;
    struct shim_interrupted below[SHIM_INTERRUPTIONS_MAX]; /* outermost first */
};
extern SHIM_THREAD_LOCAL struct shim_thread shim_thread;

/* True from the moment on that the program gives up system calls (sealing.h): the shim makes none
 * any more. */
extern _Atomic bool shim_sealed;

/* Are native stacks recorded too (native_walk.h)? Set at start, before the gate opens. */
extern bool shim_walks_native;

static inline bool shim_gate_open(void)
{
    return atomic_load_explicit(&shim_gate.open, memory_order_relaxed) != SHIM_GATE_SHUT;
}

static inline bool shim_is_sealed(void)
{
    return SHIM_UNLIKELY(atomic_load_explicit(&shim_sealed, memory_order_relaxed));
}

static inline void shim_guard_set(uintptr_t value)
{
    /* Signal handlers of this thread read it: the compiler must not move work across. */
    atomic_signal_fence(memory_order_seq_cst);
    *(volatile uintptr_t *)&shim_thread.guard = value;
    atomic_signal_fence(memory_order_seq_cst);
}

/* Before the shim asks a library. Returns the guard as it was, for shim_guard_set() afterwards. */
static inline uintptr_t shim_guard_set_library(void)
{
    uintptr_t guard = shim_thread.guard;
    shim_guard_set(guard | SHIM_RECORDING | SHIM_LIBRARY);
    return guard;
}

#endif
