/*
 * Libraries map memory in constructors that run before the shim's: for them a system call does what
 * libc's function would. sbrk() has no system call of its own, so it
 * is looked up when it is wanted.
 */
#include "preload/base/real_mapping.h"

#include <sys/syscall.h>
#include <unistd.h>

#include "preload/base/real_functions.h"
#include "preload/base/shim.h"

void *real_mmap(void *address, size_t length, int protection, int flags, int descriptor,
                off_t offset)
{
    if (SHIM_LIKELY(real.mmap != NULL))
        return real.mmap(address, length, protection, flags, descriptor, offset);
    return (void *)syscall(SYS_mmap, address, length, protection, flags, descriptor, offset);
}

int real_munmap(void *address, size_t length)
{
    if (SHIM_LIKELY(real.munmap != NULL))
        return real.munmap(address, length);
    return (int)syscall(SYS_munmap, address, length);
}

void *real_mremap(void *old, size_t old_length, size_t length, int flags, void *target)
{
    if (SHIM_LIKELY(real.mremap != NULL))
        return real.mremap(old, old_length, length, flags, target);
    return (void *)syscall(SYS_mremap, old, old_length, length, flags, target);
}

int real_mprotect(void *address, size_t length, int protection)
{
    if (SHIM_LIKELY(real.mprotect != NULL))
        return real.mprotect(address, length, protection);
    return (int)syscall(SYS_mprotect, address, length, protection);
}

int real_pkey_mprotect(void *address, size_t length, int protection, int key)
{
    if (key == -1)
        return real_mprotect(address, length, protection);
    return (int)syscall(SYS_pkey_mprotect, address, length, protection, key);
}

int real_madvise(void *address, size_t length, int advice)
{
    if (SHIM_LIKELY(real.madvise != NULL))
        return real.madvise(address, length, advice);
    return (int)syscall(SYS_madvise, address, length, advice);
}

int real_brk(void *end)
{
    return REAL(brk)(end);
}

void *real_sbrk(intptr_t increment)
{
    return REAL(sbrk)(increment);
}
