/*
 * Giving memory back that stays allocated.
 */
#ifndef HEAPLINE_SCHEMA_PAGES_H
#define HEAPLINE_SCHEMA_PAGES_H

#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

/* The whole pages of a piece of malloc's memory, which may be null: its contents are lost, and what
 * was in those pages is zero. */
static inline void pages_give_back(void *memory, size_t bytes)
{
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), begin = (uintptr_t)memory;
    uintptr_t first = (begin + page - 1) / page * page, end = (begin + bytes) / page * page;
    if (memory && first < end)
        madvise((void *)first, end - first, MADV_DONTNEED);
}

#endif
