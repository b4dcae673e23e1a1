/*
 * The bodies of the malloc family's hooks (SHIM_HOOK()). Any thread, also before the shim has
 * started.
 */
#ifndef HEAPLINE_PRELOAD_MALLOC_HOOKS_H
#define HEAPLINE_PRELOAD_MALLOC_HOOKS_H

#include <stddef.h>

void *malloc_hook(size_t size);
void *calloc_hook(size_t count, size_t size);
void *realloc_hook(void *old, size_t size);
void *reallocarray_hook(void *old, size_t count, size_t size);
void free_hook(void *block);
void free_sized_hook(void *block, size_t size);
void free_aligned_sized_hook(void *block, size_t alignment, size_t size);
int posix_memalign_hook(void **block, size_t alignment, size_t size);
void *aligned_alloc_hook(size_t alignment, size_t size);
void *memalign_hook(size_t alignment, size_t size);
void *valloc_hook(size_t size);
void *pvalloc_hook(size_t size);

#endif
