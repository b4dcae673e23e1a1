/*
 * The shim's own memory. memory_carve() cuts small pieces from blocks of pages under a lock; those
 * who recycle pieces keep lists of their own.
 */
#include "preload/base/memory.h"

#include <errno.h>
#include <sys/mman.h>

#include "assertion.h"
#include "preload/base/lock.h"
#include "preload/base/real_mapping.h"
#include "preload/base/shim.h"

#define CARVE_BLOCK_BYTES ((size_t)64 * 1024)
#define RESERVE_BYTES     ((size_t)4 << 20)
#define PAGE_BYTES        ((size_t)SHIM_PAGE_BYTES)

static struct lock carve_lock;
static char *carve_at;
static size_t carve_left;

/* Taken only, and only when nothing can be mapped. */
static struct {
    char *memory;
    _Atomic size_t used;
} reserve;

static void *take_reserve(size_t bytes)
{
    bytes = (bytes + PAGE_BYTES - 1) & ~(PAGE_BYTES - 1);
    size_t used = atomic_load(&reserve.used);
    do
        if (!reserve.memory || bytes > RESERVE_BYTES - used)
            return NULL;
    while (!atomic_compare_exchange_weak(&reserve.used, &used, used + bytes));
    return reserve.memory + used;
}

/* What is mapped. An address is stored last, so that it is seen with its length, and taken out
 * first. */
#define MAPPED_MAX 256u
static struct {
    _Atomic uintptr_t address; /* 0: free */
    _Atomic size_t bytes;
} mapped[MAPPED_MAX];

static void note_mapped(uintptr_t address, size_t bytes)
{
    for (unsigned i = 0; i < MAPPED_MAX; i++) {
        uintptr_t none = 0;
        if (!atomic_compare_exchange_strong(&mapped[i].address, &none, 1))
            continue;
        atomic_store(&mapped[i].bytes, bytes);
        atomic_store(&mapped[i].address, address);
        return;
    }
}

static void note_unmapped(uintptr_t address)
{
    for (unsigned i = 0; i < MAPPED_MAX; i++) {
        uintptr_t seen = address;
        if (atomic_compare_exchange_strong(&mapped[i].address, &seen, 0))
            return;
    }
}

void memory_each(void (*tell)(uintptr_t address, size_t bytes))
{
    for (unsigned i = 0; i < MAPPED_MAX; i++) {
        uintptr_t address = atomic_load(&mapped[i].address);
        if (address > 1)
            tell(address, atomic_load(&mapped[i].bytes));
    }
}

void memory_reserve(void)
{
    if (!reserve.memory)
        reserve.memory = memory_map(RESERVE_BYTES);
}

void *memory_map(size_t bytes)
{
    if (shim_is_sealed())
        return take_reserve(bytes);
    int saved = errno;
    void *memory =
        real_mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    errno = saved;
    if (memory == MAP_FAILED)
        return NULL;
    note_mapped((uintptr_t)memory, bytes);
    return memory;
}

void memory_unmap(void *memory, size_t bytes)
{
    if (shim_is_sealed())
        return;
    int saved = errno;
    note_unmapped((uintptr_t)memory);
    real_munmap(memory, bytes);
    errno = saved;
}

void *memory_carve(size_t bytes)
{
    bytes = (bytes + 63) & ~(size_t)63;
    void *piece = NULL;
    ASSERT(bytes > 0 && bytes <= CARVE_BLOCK_BYTES);
    lock_take(&carve_lock);
    ASSERT(carve_left <= CARVE_BLOCK_BYTES);
    if (carve_left < bytes) {
        char *block = memory_map(CARVE_BLOCK_BYTES);
        if (block) {
            carve_at = block;
            carve_left = CARVE_BLOCK_BYTES;
        }
    }
    if (carve_left >= bytes) {
        piece = carve_at;
        carve_at += bytes;
        carve_left -= bytes;
    }
    lock_release(&carve_lock);
    return piece;
}

void memory_lock(void)
{
    lock_take(&carve_lock);
}

void memory_unlock(void)
{
    lock_release(&carve_lock);
}
