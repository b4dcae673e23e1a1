/*
 * Memory of the shim's own, straight from mmap: never from the heap it watches, never returned.
 * Zero-filled; null when the system has none. Any thread.
 */
#ifndef HEAPLINE_PRELOAD_MEMORY_H
#define HEAPLINE_PRELOAD_MEMORY_H

#include <stddef.h>
#include <stdint.h>

/* Whole pages of their own. */
void *memory_map(size_t bytes);
void memory_unmap(void *memory, size_t bytes);

/* Calls back with each mapping of memory_map()'s that is there; of very many not with all. */
void memory_each(void (*tell)(uintptr_t address, size_t bytes));

/* Maps what memory_map() is to give once the program has given up system calls. */
void memory_reserve(void);

/* A small piece of a shared page, aligned to 64 bytes; at most 64 KiB. Never given back. */
void *memory_carve(size_t bytes);

/* Held over a fork, so that the child finds everything whole. */
void memory_lock(void);
void memory_unlock(void);

#endif
