/*
 * The kernel's mappings behind the hooks: whatever the dynamic linker finds next after the shim, or
 * the system call itself before that is known. The shim's own memory comes from here, so that none
 * of it is recorded. Any thread; errno as the real call leaves it.
 */
#ifndef HEAPLINE_PRELOAD_REAL_MAPPING_H
#define HEAPLINE_PRELOAD_REAL_MAPPING_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

void *real_mmap(void *address, size_t length, int protection, int flags, int descriptor,
                off_t offset);
int real_munmap(void *address, size_t length);
/* `target` is looked at only where `flags` has a use for it. */
void *real_mremap(void *old, size_t old_length, size_t length, int flags, void *target);
int real_mprotect(void *address, size_t length, int protection);
int real_pkey_mprotect(void *address, size_t length, int protection, int key);
int real_madvise(void *address, size_t length, int advice);
int real_brk(void *end);
void *real_sbrk(intptr_t increment);

#endif
