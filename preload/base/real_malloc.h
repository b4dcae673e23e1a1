/*
 * The allocator behind the hooks: whatever the dynamic linker finds next after the shim.
 */
#ifndef HEAPLINE_PRELOAD_REAL_MALLOC_H
#define HEAPLINE_PRELOAD_REAL_MALLOC_H

#include <stdbool.h>
#include <stddef.h>

struct real_malloc {
    void *(*malloc)(size_t);
    void *(*calloc)(size_t, size_t);
    void *(*realloc)(void *, size_t);
    void (*free)(void *);
    int (*posix_memalign)(void **, size_t, size_t);
    void *(*aligned_alloc)(size_t, size_t);
    void *(*memalign)(size_t, size_t);
    void *(*valloc)(size_t);
    void *(*pvalloc)(size_t);
};
extern struct real_malloc real_malloc;

/* Looks all of them up. False while a look-up is under way on this very call path (dlsym allocates)
 * or when there is no allocator to be found: use the pool. */
bool real_malloc_resolve(void);

/* The pool that serves calls until then: zero-filled, aligned to 16, never given back. Null when it
 * is used up. */
void *pool_allocate(size_t bytes);
bool pool_owns(const void *block);
/* The bytes from `block` to the pool's end: an upper bound for what may be copied out of it. */
size_t pool_bytes_after(const void *block);

#endif
