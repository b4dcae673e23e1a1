/*
 * Memory for the hooks of malloc until the real allocator is known: zero-filled, aligned to 16,
 * never given back.
 */
#ifndef HEAPLINE_PRELOAD_POOL_H
#define HEAPLINE_PRELOAD_POOL_H

#include <stdbool.h>
#include <stddef.h>

/* Null when it is used up. */
void *pool_allocate(size_t bytes);
bool pool_owns(const void *block);
/* The bytes from `block` to the pool's end: an upper bound for what may be copied out of it. */
size_t pool_bytes_after(const void *block);

#endif
