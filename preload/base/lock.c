/*
 * The futex lock (the three-state mutex of Drepper's "Futexes are tricky").
 */
#include "preload/base/lock.h"

#include "futex.h"
#include "preload/arch/processor.h"
#include "preload/base/shim.h"

static void wait_for(struct lock *lock)
{
    if (shim_is_sealed())
        processor_pause();
    else
        futex_wait(&lock->word, 2, 0);
}

static void take_blocked(struct lock *lock)
{
    uint32_t seen = 0;
    if (atomic_compare_exchange_strong_explicit(&lock->word, &seen, 1, memory_order_acquire,
                                                memory_order_relaxed))
        return;
    if (seen != 2)
        seen = atomic_exchange_explicit(&lock->word, 2, memory_order_acquire);
    while (seen != 0) {
        wait_for(lock);
        seen = atomic_exchange_explicit(&lock->word, 2, memory_order_acquire);
    }
}

void lock_take(struct lock *lock)
{
    struct signals signals = signals_block();
    take_blocked(lock);
    lock->signals = signals;
}

void lock_release(struct lock *lock)
{
    struct signals signals = lock->signals;
    if (atomic_exchange_explicit(&lock->word, 0, memory_order_release) == 2 && !shim_is_sealed())
        futex_wake(&lock->word, 1);
    signals_restore(signals);
}
