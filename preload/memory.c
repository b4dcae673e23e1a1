/*
 * The shim's own memory. memory_carve() cuts small pieces from blocks of pages under a lock; those
 * who recycle pieces keep lists of their own.
 */
#include "memory.h"

#include <errno.h>
#include <sys/mman.h>

#include "lock.h"
#include "real_mapping.h"

#define CARVE_BLOCK_BYTES ((size_t)64 * 1024)

static struct lock carve_lock;
static char *carve_at;
static size_t carve_left;

void *memory_map(size_t bytes)
{
    int saved = errno;
    void *memory =
        real_mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    errno = saved;
    return memory == MAP_FAILED ? NULL : memory;
}

void memory_unmap(void *memory, size_t bytes)
{
    int saved = errno;
    real_munmap(memory, bytes);
    errno = saved;
}

void *memory_carve(size_t bytes)
{
    bytes = (bytes + 63) & ~(size_t)63;
    void *piece = NULL;
    lock_take(&carve_lock);
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
