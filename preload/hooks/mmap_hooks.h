/*
 * The bodies of the mappings' hooks (SHIM_HOOK()). Any thread, also before the shim has started.
 */
#ifndef HEAPLINE_PRELOAD_MMAP_HOOKS_H
#define HEAPLINE_PRELOAD_MMAP_HOOKS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

void *mmap_hook(void *address, size_t length, int protection, int flags, int descriptor,
                off_t offset);
int munmap_hook(void *address, size_t length);
void *mremap_hook(void *old, size_t old_length, size_t length, int flags, ...);
int mprotect_hook(void *address, size_t length, int protection);
int pkey_mprotect_hook(void *address, size_t length, int protection, int key);
int madvise_hook(void *address, size_t length, int advice);
int brk_hook(void *end);
void *sbrk_hook(intptr_t increment);

#endif
