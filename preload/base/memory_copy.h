/*
 * Copies of memory that may not be there: what another thread of the program may give back at any
 * moment, or what only the program says is memory. The kernel copies, and fails instead of
 * faulting. Any thread; keeps errno.
 */
#ifndef HEAPLINE_PRELOAD_MEMORY_COPY_H
#define HEAPLINE_PRELOAD_MEMORY_COPY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* False: not all of it is there, or the program has given up system calls. */
bool memory_copy(void *to, uintptr_t from, size_t bytes);

/* Copies the text at an address up to its end or up to `size` bytes, and returns its length. 0 also
 * when nothing is there. No zero is put behind it. */
size_t memory_copy_text(char *to, uintptr_t from, size_t size);

#endif
