/*
 * One logical allocation or free becomes one record.
 *
 * The caller holds the guard at SHIM_RECORDING. `busy` is that of its struct hook_call: which of
 * the thread's states is free for it. In a signal handler that has interrupted the shim's own work
 * the first may be half changed; where none is left the event is recorded without a stack.
 */
#ifndef HEAPLINE_PRELOAD_RECORDER_H
#define HEAPLINE_PRELOAD_RECORDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wire.h"

/* After the real allocation has returned `block`. `frame` is the frame address of the hook, whose
 * frame has a frame pointer. */
void record_allocation(const void *block, size_t size, unsigned allocator, unsigned busy,
                       uintptr_t frame);

/* `allocator`: enum wire_allocator, or WIRE_ALLOCATOR_MOVED. */

/* Before the real free. */
void record_free(const void *block);

/* Before the real realloc of an existing block; then, if it fails, record_realloc_failed(), else
 * record_allocation(). */
void record_realloc_free(const void *block, unsigned busy);
void record_realloc_failed(const void *block, unsigned busy);

/* Before a range of addresses is given back; then, if that fails, record_unmap_failed(). */
void record_unmap(const void *start, size_t bytes, unsigned busy);
void record_unmap_failed(const void *start, size_t bytes, unsigned busy);

/* How many bytes of a range are in memory, where it is large enough to matter; else
 * PRESENCE_UNKNOWN. */
uint64_t recorder_look(const void *start, size_t bytes);

/* A range is still mapped, and what was in it has gone, or goes when the kernel wants it (lazily).
 * `present`: what recorder_look() said before. */
void record_emptied(const void *start, size_t bytes, uint64_t present, bool lazily);

/* What was reserved of a range has become accessible. */
void record_accessible(const void *start, size_t bytes, unsigned busy, uintptr_t frame);

/* After the real allocator has given nothing: counted when that was for want of memory (ENOMEM). */
void record_refusal(size_t size, unsigned busy, uintptr_t frame);

#endif
