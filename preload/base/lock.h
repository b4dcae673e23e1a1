/*
 * A lock for the shim's rare paths: one futex word, no allocation, no spinning beyond a glance.
 *
 * Held only over a few memory operations and mmap, never over a call into libc's allocator, the
 * loader or the interpreter. Signals are blocked meanwhile: a handler that jumped away would leave
 * the lock held for ever, and one that allocates would wait for its own thread. All are held over
 * fork() (fork.h).
 */
#ifndef HEAPLINE_PRELOAD_LOCK_H
#define HEAPLINE_PRELOAD_LOCK_H

#include <stdatomic.h>
#include <stdint.h>

#include "preload/base/signals.h"

struct lock {
    _Atomic uint32_t word;  /* 0 free, 1 held, 2 held and waited for */
    struct signals signals; /* the holder's */
};

void lock_take(struct lock *lock);
void lock_release(struct lock *lock);

#endif
