/*
 * A lock that is held over calls into the C library: those that start programs. Signals are blocked
 * meanwhile, so that no handler meets it or jumps out of it.
 *
 * It knows the process whose thread holds it. A child of fork() may find it held by a thread that
 * it does not have, whether or not fork.h was asked; to the child that is as good as free, and what
 * the lock guards must be whole after each single write to it.
 */
#ifndef HEAPLINE_PRELOAD_PROCESS_LOCK_H
#define HEAPLINE_PRELOAD_PROCESS_LOCK_H

#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>

struct process_lock {
    _Atomic uint32_t word; /* 0 free, else the holder's process id, and a bit when waited for */
};

/* `mask` is what is blocked already. */
void process_lock_take(struct process_lock *lock, sigset_t *mask);
void process_lock_release(struct process_lock *lock, const sigset_t *mask);

#endif
