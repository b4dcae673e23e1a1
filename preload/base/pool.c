/*
 * All of it is used while the loader runs constructors, in one thread; the count is atomic for
 * those who make threads there.
 */
#include "preload/base/pool.h"

#include <stdatomic.h>
#include <stdint.h>

#define POOL_BYTES ((size_t)64 * 1024)
static _Alignas(64) char pool[POOL_BYTES];
static _Atomic size_t pool_used;

void *pool_allocate(size_t bytes)
{
    if (bytes > POOL_BYTES)
        return NULL;
    size_t rounded = (bytes + 15) & ~(size_t)15;
    size_t at = atomic_fetch_add(&pool_used, rounded ? rounded : 16);
    return at + rounded <= POOL_BYTES ? pool + at : NULL;
}

bool pool_owns(const void *block)
{
    return (uintptr_t)block - (uintptr_t)pool < POOL_BYTES;
}

size_t pool_bytes_after(const void *block)
{
    return POOL_BYTES - (size_t)((uintptr_t)block - (uintptr_t)pool);
}
