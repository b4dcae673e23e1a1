/*
 * x86-64 (processor.h).
 */
#ifndef HEAPLINE_PRELOAD_PROCESSOR_INLINE_H
#define HEAPLINE_PRELOAD_PROCESSOR_INLINE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

static inline void processor_pause(void)
{
    __builtin_ia32_pause();
}

/* One instruction, without the lock of the bus that costs as much as all the rest of a record. */
static inline bool processor_replace_alone(_Atomic uint64_t *word, uint64_t *seen, uint64_t wanted)
{
    bool replaced;
    __asm__ volatile("cmpxchgq %[wanted], %[word]"
                     : [word] "+m"(*word), "+a"(*seen), "=@ccz"(replaced)
                     : [wanted] "r"(wanted)
                     : "memory");
    return replaced;
}

/* The builtin does not ask for ownership without -mprfchw; older processors ignore this. */
static inline void processor_fetch_for_writing(const _Atomic uint64_t *word)
{
    __asm__ volatile("prefetchw %0" : : "m"(*word));
}

static inline uintptr_t processor_thread_pointer(void)
{
    return (uintptr_t)__builtin_thread_pointer();
}

#endif
