/*
 * Finding the real allocator, and the pool that bridges the time until it is found. glibc's dlsym
 * may call calloc, so the first look-up meets the hooks again. All of this happens while the loader
 * runs constructors, in one thread.
 */
#include "preload/base/real_malloc.h"

#include <dlfcn.h>
#include <stdint.h>

#include "preload/base/shim.h"

struct real_malloc real_malloc;

#define POOL_BYTES ((size_t)64 * 1024)
static _Alignas(64) char pool[POOL_BYTES];
static _Atomic size_t pool_used;
static bool resolving;

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

static void look_up(void *function, const char *name)
{
    *(void **)function = dlsym(RTLD_NEXT, name);
}

bool real_malloc_resolve(void)
{
    if (resolving)
        return false;
    resolving = true;
    struct real_malloc found;
    look_up(&found.malloc, "malloc");
    look_up(&found.calloc, "calloc");
    look_up(&found.realloc, "realloc");
    look_up(&found.free, "free");
    look_up(&found.posix_memalign, "posix_memalign");
    look_up(&found.aligned_alloc, "aligned_alloc");
    look_up(&found.memalign, "memalign");
    look_up(&found.valloc, "valloc");
    look_up(&found.pvalloc, "pvalloc");
    real_malloc = found;
    resolving = false;
    return found.malloc != NULL;
}
