/*
 * The interposed mappings: mmap, munmap, mremap, mprotect, madvise, and the end of the data
 * segment.
 *
 * What is recorded is what the program and its libraries ask for, in whole pages: anonymous memory,
 * files, and address space that is reserved (PROT_NONE) until it is made accessible. glibc's own
 * mappings (arenas, large blocks, the stacks of threads, the loader's libraries) and its own use of
 * sbrk do not come through here. What another allocator maps inside one of our hooks is part of
 * that call, and what CPython maps for pymalloc and for the frames of its threads is kept out by
 * pymem_hooks.c.
 *
 * Order: a range is recorded as given back before it is, because another thread may be given it at
 * once, and as mapped afterwards. Where the real call then fails the record is taken back; a call
 * whose arguments cannot be right is not recorded at all. MAP_FIXED and MREMAP_FIXED replace what
 * was there in one step, so the one record says both.
 *
 * The shim's own mappings do not come this way (real_mapping.h). The real calls have no steps that
 * do, so the guard says SHIM_RECORDING throughout: what comes meanwhile is a signal handler's.
 */
#undef _FILE_OFFSET_BITS /* makes mmap a second name of mmap64 */
#include "preload/hooks/mmap_hooks.h"

#include <errno.h>
#include <stdarg.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "preload/base/real_mapping.h"
#include "preload/base/shim.h"
#include "preload/carrier/places.h"
#include "preload/hooks/recorder.h"
#include "preload/thread/hook_call.h"

static size_t page_bytes(void)
{
    static _Atomic size_t known;
    size_t bytes = atomic_load_explicit(&known, memory_order_relaxed);
    if (SHIM_UNLIKELY(!bytes)) {
        bytes = (size_t)sysconf(_SC_PAGESIZE);
        atomic_store_explicit(&known, bytes, memory_order_relaxed);
    }
    return bytes;
}

/* 0 for a length that is 0, or too large to be rounded. */
static size_t whole_pages(size_t length)
{
    return (length + page_bytes() - 1) & ~(page_bytes() - 1);
}

/* Can there be mappings to give back? */
static bool is_range(const void *start, size_t bytes)
{
    uintptr_t address = (uintptr_t)start;
    return bytes && address % page_bytes() == 0 && address <= WIRE_ADDRESS_MASK &&
           bytes <= WIRE_ADDRESS_MASK - address;
}

/* A mapping, and what of it is asked for by whom. */
struct asked {
    size_t bytes;
    unsigned kind; /* enum wire_allocator, or WIRE_ALLOCATOR_MOVED */
    uintptr_t caller;
};
#define CALLER (uintptr_t) __builtin_return_address(0)

/* Ends a hook whose real call has returned `memory`. */
static void *finish_mapping(struct hook_call *call, void *memory, const struct asked *asked)
{
    if (SHIM_UNLIKELY(memory == MAP_FAILED)) {
        record_refusal(asked->bytes, call->busy, call->frame);
    } else {
        record_allocation(memory, asked->bytes, asked->kind, call->busy, call->frame);
        if (asked->kind != WIRE_ALLOCATOR_FILE)
            place_tell_caller((uintptr_t)memory, asked->bytes, asked->caller);
    }
    hook_leave(call);
    return memory;
}

/* Has address space ever been reserved? Before that none need be made accessible. */
static _Atomic bool has_reserved;

#define PROTECTION_ANY (PROT_READ | PROT_WRITE | PROT_EXEC)

/* Is what it stands for no file but memory of zeros? */
static bool is_zeros(int descriptor)
{
    struct stat about;
    int saved = errno;
    bool is = !shim_is_sealed() && syscall(SYS_fstat, descriptor, &about) == 0 &&
              S_ISCHR(about.st_mode) && about.st_rdev == makedev(1, 5);
    errno = saved;
    return is;
}

static enum wire_allocator kind_of(int protection, int flags, int descriptor)
{
    if (!(flags & MAP_ANONYMOUS))
        return is_zeros(descriptor) ? WIRE_ALLOCATOR_MMAP : WIRE_ALLOCATOR_FILE;
    if (protection & PROTECTION_ANY)
        return WIRE_ALLOCATOR_MMAP;
    atomic_store_explicit(&has_reserved, true, memory_order_relaxed);
    return WIRE_ALLOCATOR_RESERVED;
}

void *mmap_hook(void *address, size_t length, int protection, int flags, int descriptor,
                off_t offset)
{
    struct hook_call call;
    if (!hook_enter(&call))
        return real_mmap(address, length, protection, flags, descriptor, offset);
    const struct asked asked = {whole_pages(length), kind_of(protection, flags, descriptor),
                                CALLER};
    return finish_mapping(&call, real_mmap(address, length, protection, flags, descriptor, offset),
                          &asked);
}
SHIM_HOOK(mmap);

_Static_assert(sizeof(off_t) == sizeof(off64_t), "mmap64 is mmap");
SHIM_EXPORT void *mmap64(void *address, size_t length, int protection, int flags, int descriptor,
                         off64_t offset) __attribute__((alias("mmap_hook")));

int munmap_hook(void *address, size_t length)
{
    struct hook_call call;
    size_t bytes = whole_pages(length);
    if (!is_range(address, bytes) || !hook_enter(&call))
        return real_munmap(address, length);
    record_unmap(address, bytes, call.busy);
    int result = real_munmap(address, length);
    if (SHIM_UNLIKELY(result != 0))
        record_unmap_failed(address, bytes, call.busy);
    hook_leave(&call);
    return result;
}
SHIM_HOOK(munmap);

/* An old length of 0 asks for another mapping of the same pages; with MREMAP_DONTUNMAP the old one
 * stays, emptied. */
void *mremap_hook(void *old, size_t old_length, size_t length, int flags, ...)
{
    struct hook_call call;
    va_list more;
    va_start(more, flags);
    void *target = flags & (MREMAP_FIXED | MREMAP_DONTUNMAP) ? va_arg(more, void *) : NULL;
    va_end(more);
    size_t old_bytes = whole_pages(old_length);
    bool frees = is_range(old, old_bytes) && !(flags & MREMAP_DONTUNMAP);
    if (!hook_enter(&call))
        return real_mremap(old, old_length, length, flags, target);
    if (frees)
        record_unmap(old, old_bytes, call.busy);
    void *memory = real_mremap(old, old_length, length, flags, target);
    if (frees && SHIM_UNLIKELY(memory == MAP_FAILED))
        record_unmap_failed(old, old_bytes, call.busy);
    const struct asked asked = {whole_pages(length),
                                frees ? WIRE_ALLOCATOR_MOVED : WIRE_ALLOCATOR_MMAP, CALLER};
    return finish_mapping(&call, memory, &asked);
}
SHIM_HOOK(mremap);

/* --- what becomes of a mapping that stays --- */

/* Enters a hook of mprotect(), where that may make something accessible that was reserved. */
static bool opens_reserved(struct hook_call *call, const void *address, size_t bytes,
                           int protection)
{
    return (protection & PROTECTION_ANY) &&
           atomic_load_explicit(&has_reserved, memory_order_relaxed) && is_range(address, bytes) &&
           hook_enter(call);
}

static int finish_opening(struct hook_call *call, const void *address, size_t bytes, int result)
{
    if (SHIM_LIKELY(result == 0))
        record_accessible(address, bytes, call->busy, call->frame);
    hook_leave(call);
    return result;
}

int mprotect_hook(void *address, size_t length, int protection)
{
    struct hook_call call;
    size_t bytes = whole_pages(length);
    if (!opens_reserved(&call, address, bytes, protection))
        return real_mprotect(address, length, protection);
    return finish_opening(&call, address, bytes, real_mprotect(address, length, protection));
}
SHIM_HOOK(mprotect);

int pkey_mprotect_hook(void *address, size_t length, int protection, int key)
{
    struct hook_call call;
    size_t bytes = whole_pages(length);
    if (!opens_reserved(&call, address, bytes, protection))
        return real_pkey_mprotect(address, length, protection, key);
    return finish_opening(&call, address, bytes,
                          real_pkey_mprotect(address, length, protection, key));
}
SHIM_HOOK(pkey_mprotect);

static bool empties(int advice)
{
    return advice == MADV_DONTNEED || advice == MADV_FREE || advice == MADV_REMOVE ||
           advice == MADV_DONTNEED_LOCKED;
}

/* What was in memory is looked at before it goes. */
int madvise_hook(void *address, size_t length, int advice)
{
    struct hook_call call;
    size_t bytes = whole_pages(length);
    if (!empties(advice) || !is_range(address, bytes) || !hook_enter(&call))
        return real_madvise(address, length, advice);
    uint64_t present = recorder_look(address, bytes);
    int result = real_madvise(address, length, advice);
    if (SHIM_LIKELY(result == 0))
        record_emptied(address, bytes, present, advice == MADV_FREE);
    hook_leave(&call);
    return result;
}
SHIM_HOOK(madvise);

/* --- the end of the data segment: bytes, not pages --- */

static void begin_move(struct hook_call *call, char *old, char *new)
{
    if (new < old)
        record_unmap(new, (size_t)(old - new), call->busy);
}

/* Ends a hook that was to move the end from `old` to `new`. A place before the segment is no error,
 * it moves nothing. */
static void finish_move(struct hook_call *call, char *old, char *new)
{
    bool moved = real_sbrk(0) == new;
    if (!moved && new < old)
        record_unmap_failed(new, (size_t)(old - new), call->busy);
    else if (!moved)
        record_refusal((size_t)(new - old), call->busy, call->frame);
    else if (new > old)
        record_allocation(old, (size_t)(new - old), WIRE_ALLOCATOR_MMAP, call->busy, call->frame);
    hook_leave(call);
}

int brk_hook(void *end)
{
    struct hook_call call;
    if (!hook_enter(&call))
        return real_brk(end);
    char *old = real_sbrk(0);
    begin_move(&call, old, end);
    int result = real_brk(end);
    finish_move(&call, old, end);
    return result;
}
SHIM_HOOK(brk);

void *sbrk_hook(intptr_t increment)
{
    struct hook_call call;
    if (increment == 0 || !hook_enter(&call))
        return real_sbrk(increment);
    char *old = real_sbrk(0);
    begin_move(&call, old, old + increment);
    void *result = real_sbrk(increment);
    finish_move(&call, old, old + increment);
    return result;
}
SHIM_HOOK(sbrk);
