/*
 * A futex lock with a process id in its word.
 */
#include "preload/base/process_lock.h"

#include <stdbool.h>
#include <stddef.h>
#include <unistd.h>

#include "futex.h"

#define WAITED_FOR UINT32_C(0x80000000)

static bool process_lock_change(struct process_lock *lock, uint32_t from, uint32_t to)
{
    return atomic_compare_exchange_strong_explicit(&lock->word, &from, to, memory_order_acquire,
                                                   memory_order_relaxed);
}

void process_lock_take(struct process_lock *lock, sigset_t *mask)
{
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, mask);
    uint32_t own = (uint32_t)getpid();
    uint32_t wanted = own; /* who has waited cannot know whether others do */
    for (;;) {
        uint32_t seen = atomic_load_explicit(&lock->word, memory_order_relaxed);
        if ((seen & ~WAITED_FOR) != own) {
            if (process_lock_change(lock, seen, wanted))
                return;
        } else if (seen & WAITED_FOR || process_lock_change(lock, seen, seen | WAITED_FOR)) {
            futex_wait(&lock->word, own | WAITED_FOR, 0);
            wanted = own | WAITED_FOR;
        }
    }
}

void process_lock_release(struct process_lock *lock, const sigset_t *mask)
{
    if (atomic_exchange_explicit(&lock->word, 0, memory_order_release) & WAITED_FOR)
        futex_wake(&lock->word, 1);
    sigprocmask(SIG_SETMASK, mask, NULL);
}
