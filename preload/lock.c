/*
 * The futex lock (the three-state mutex of Drepper's "Futexes are tricky").
 */
#include "lock.h"

#include "futex.h"

void lock_take(struct lock *lock)
{
    uint32_t seen = 0;
    if (atomic_compare_exchange_strong_explicit(&lock->word, &seen, 1, memory_order_acquire,
                                                memory_order_relaxed))
        return;
    if (seen != 2)
        seen = atomic_exchange_explicit(&lock->word, 2, memory_order_acquire);
    while (seen != 0) {
        futex_wait(&lock->word, 2, 0);
        seen = atomic_exchange_explicit(&lock->word, 2, memory_order_acquire);
    }
}

void lock_release(struct lock *lock)
{
    if (atomic_exchange_explicit(&lock->word, 0, memory_order_release) == 2)
        futex_wake(&lock->word, 1);
}
