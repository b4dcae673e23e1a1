/*
 * Most are steps of the call at hand, which frees the same block or a little before it: the
 * allocators that lie in one another put headers before their blocks.
 */
#include "preload/hooks/nested_free.h"

#include "preload/base/shim.h"
#include "preload/hooks/recorder.h"

/* What CPython's debug hooks put before a block (2 * sizeof(size_t), Objects/obmalloc.c). A large
 * block of the mem and object domains has it twice, since pymalloc asks the raw domain for it. */
#define HEADER_BYTES ((uintptr_t)16)
/* How far before the block that a call frees its steps may free. No block of another kind lies so
 * close: glibc's chunks have 32 bytes, so without headers the one before may begin there. */
static uintptr_t header_bytes = HEADER_BYTES;

void nested_free_expect_headers(void)
{
    header_bytes = 2 * HEADER_BYTES;
}

/*
 * True for a free inside another call that is none of its steps, because it frees something else:
 * tracemalloc drops its own tables inside the free of a block. What the allocator frees of its own
 * at such a time was allocated inside a call too, so the reader has never seen it.
 */
static bool frees_other(const void *block)
{
    return shim_thread.freeing - (uintptr_t)block > header_bytes;
}

void nested_free_record(const void *block)
{
    uintptr_t guard = shim_thread.guard;
    if (!shim_gate_open() || guard == 0 || !frees_other(block))
        return;
    /* What a library frees that the shim asks it has allocated there too, unless that is said. */
    if (guard & SHIM_RECORDING && !(guard & SHIM_FREES))
        return;
    shim_guard_set((guard & ~(SHIM_LIBRARY | SHIM_FREES)) | SHIM_RECORDING);
    record_free(block);
    shim_guard_set(guard);
}
