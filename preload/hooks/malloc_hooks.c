/*
 * The interposed malloc family.
 *
 * Semantics are those of the real allocator; what is recorded follows glibc: realloc(p, 0) frees,
 * a failed realloc frees nothing, free(NULL) is nothing. malloc_usable_size() is not interposed:
 * blocks are the real allocator's own.
 */
#include "preload/hooks/malloc_hooks.h"

#include <errno.h>
#include <malloc.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "preload/base/pool.h"
#include "preload/base/real_functions.h"
#include "preload/base/shim.h"
#include "preload/hooks/nested_free.h"
#include "preload/hooks/python_arrival.h"
#include "preload/hooks/recorder.h"
#include "preload/thread/hook_call.h"

static inline bool real_ready(void)
{
    return SHIM_LIKELY(real.malloc != NULL) || real_functions_find_allocator();
}

/* Ends a hook whose real call has returned `block`. */
static inline void *finish_malloc(struct hook_call *call, void *block, size_t size)
{
    hook_record(call);
    if (SHIM_LIKELY(block != NULL))
        record_allocation(block, size, WIRE_ALLOCATOR_MALLOC, call->busy, call->frame);
    else
        record_refusal(size, call->busy, call->frame);
    hook_leave(call);
    return block;
}

/* Enters a hook of an allocating function; looks out for CPython on its way up. */
#define ENTER_OR_RETURN(call, passed_through)                                                      \
    do {                                                                                           \
        if (python_arrival_look(__builtin_return_address(0)) || !hook_enter(call))                 \
            return passed_through;                                                                 \
    } while (0)

void *malloc_hook(size_t size)
{
    struct hook_call call;
    if (!real_ready())
        return pool_allocate(size);
    ENTER_OR_RETURN(&call, real.malloc(size));
    hook_call_real(&call);
    return finish_malloc(&call, real.malloc(size), size);
}
SHIM_HOOK(malloc);

void *calloc_hook(size_t count, size_t size)
{
    struct hook_call call;
    if (!real_ready())
        return size && count > SIZE_MAX / size ? NULL : pool_allocate(count * size);
    ENTER_OR_RETURN(&call, real.calloc(count, size));
    hook_call_real(&call);
    return finish_malloc(&call, real.calloc(count, size), count * size);
}
SHIM_HOOK(calloc);

/* A block of the pool moves to the real heap. */
static void *move_out_of_pool(void *block, size_t size)
{
    size_t most = pool_bytes_after(block);
    void *moved = malloc_hook(size);
    if (moved)
        memcpy(moved, block, size < most ? size : most);
    return moved;
}

/* Ends a realloc of `old`, which is null for one that only allocates. */
static void *finish_realloc(struct hook_call *call, void *old, void *block, size_t size)
{
    hook_record(call);
    if (SHIM_LIKELY(block != NULL)) {
        record_allocation(block, size, WIRE_ALLOCATOR_MALLOC, call->busy, call->frame);
    } else if (size != 0) {
        if (old)
            record_realloc_failed(old, call->busy);
        record_refusal(size, call->busy, call->frame);
    }
    hook_leave(call);
    return block;
}

/* A part of whoever calls it, whatever the optimization: the stack is walked from a hook's own
 * frame, and a frame of the shim's below that would be taken for one of the program's. */
__attribute__((always_inline)) static inline void *reallocate(void *old, size_t size)
{
    struct hook_call call;
    if (SHIM_UNLIKELY(pool_owns(old)))
        return move_out_of_pool(old, size);
    if (!real_ready())
        return pool_allocate(size);
    ENTER_OR_RETURN(&call, real.realloc(old, size));
    if (old)
        record_realloc_free(old, call.busy);
    hook_call_real_free(&call, old);
    return finish_realloc(&call, old, real.realloc(old, size), size);
}

void *realloc_hook(void *old, size_t size)
{
    return reallocate(old, size);
}
SHIM_HOOK(realloc);

void *reallocarray_hook(void *old, size_t count, size_t size)
{
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes)) {
        errno = ENOMEM;
        return NULL;
    }
    return reallocate(old, bytes);
}
SHIM_HOOK(reallocarray);

void free_hook(void *block)
{
    struct hook_call call;
    if (!block || SHIM_UNLIKELY(pool_owns(block)) || !real_ready())
        return;
    if (!hook_enter(&call)) {
        nested_free_record(block);
        real.free(block);
        return;
    }
    record_free(block);
    hook_call_real_free(&call, block);
    real.free(block);
    hook_leave(&call);
}
SHIM_HOOK(free);

/* C23's sized frees are free() with a hint. An allocator may do without the hint. */
void free_sized_hook(void *block, size_t size)
{
    (void)size;
    free_hook(block);
}
SHIM_HOOK(free_sized);

void free_aligned_sized_hook(void *block, size_t alignment, size_t size)
{
    (void)alignment;
    (void)size;
    free_hook(block);
}
SHIM_HOOK(free_aligned_sized);

int posix_memalign_hook(void **block, size_t alignment, size_t size)
{
    struct hook_call call;
    if (!real_ready())
        return ENOMEM;
    ENTER_OR_RETURN(&call, real.posix_memalign(block, alignment, size));
    hook_call_real(&call);
    int result = real.posix_memalign(block, alignment, size);
    /* Refused for its arguments: errno is none of its. */
    finish_malloc(&call, result == 0 ? *block : NULL, result == EINVAL ? 0 : size);
    return result;
}
SHIM_HOOK(posix_memalign);

void *aligned_alloc_hook(size_t alignment, size_t size)
{
    struct hook_call call;
    if (!real_ready())
        return NULL;
    ENTER_OR_RETURN(&call, real.aligned_alloc(alignment, size));
    hook_call_real(&call);
    return finish_malloc(&call, real.aligned_alloc(alignment, size), size);
}
SHIM_HOOK(aligned_alloc);

void *memalign_hook(size_t alignment, size_t size)
{
    struct hook_call call;
    if (!real_ready())
        return NULL;
    ENTER_OR_RETURN(&call, real.memalign(alignment, size));
    hook_call_real(&call);
    return finish_malloc(&call, real.memalign(alignment, size), size);
}
SHIM_HOOK(memalign);

void *valloc_hook(size_t size)
{
    struct hook_call call;
    if (!real_ready())
        return NULL;
    ENTER_OR_RETURN(&call, real.valloc(size));
    hook_call_real(&call);
    return finish_malloc(&call, real.valloc(size), size);
}
SHIM_HOOK(valloc);

void *pvalloc_hook(size_t size)
{
    struct hook_call call;
    if (!real_ready())
        return NULL;
    ENTER_OR_RETURN(&call, real.pvalloc(size));
    hook_call_real(&call);
    return finish_malloc(&call, real.pvalloc(size), size);
}
SHIM_HOOK(pvalloc);
