/*
 * How much of a large block is in memory: asked right before it goes, for afterwards it is too
 * late.
 *
 * No two large blocks begin in the same WIRE_LARGE_BYTES of addresses, so a table by these finds
 * one. It has room for as many as lie in PRESENCE_SLOTS of them; of two that meet there the later
 * one is remembered, and the other goes without a look. Whoever frees asks one slot, which is the
 * same for all blocks that lie near each other.
 *
 * Any thread, also in signal handlers: a slot that is torn by two threads makes a look at a wrong
 * range at worst, which says a wrong number of a block that the collector then does not know.
 */
#ifndef HEAPLINE_PRELOAD_PRESENCE_H
#define HEAPLINE_PRELOAD_PRESENCE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "preload/base/shim.h"
#include "wire.h"

#define PRESENCE_SLOTS   4096u
#define PRESENCE_UNKNOWN UINT64_MAX

struct presence_slot {
    _Atomic uintptr_t block; /* 0: none */
    _Atomic size_t size;
    _Atomic bool is_full; /* all of it has been found in memory */
};
extern struct presence_slot presence_slots[PRESENCE_SLOTS];

static inline struct presence_slot *presence_slot_of(const void *block)
{
    return &presence_slots[(uintptr_t)block / WIRE_LARGE_BYTES % PRESENCE_SLOTS];
}

/* Before the gate opens. */
void presence_begin(void);

/* May system calls be made that the program has not made itself? */
bool presence_may_ask(void);

/* A large block has been allocated. */
void presence_note(const void *block, size_t size);

/* Is it one of those that are known? It is one that is freed most often not. */
static inline bool presence_knows(const void *block)
{
    return SHIM_UNLIKELY(atomic_load_explicit(&presence_slot_of(block)->block,
                                              memory_order_relaxed) == (uintptr_t)block);
}

/* How many bytes of a block that is known are in memory; forgets it. */
uint64_t presence_take(const void *block);

/* Looks at the blocks that have not been found in memory in full, and calls back for each of which
 * something is known. True: those are all that there are. presence_look_at_others(): only for a
 * hundredth of the time; before something goes, for what others had touched beside it would not be
 * known. */
bool presence_look_at_all(void (*found)(const void *block, uint64_t present));
bool presence_look_at_others(void (*found)(const void *block, uint64_t present));

/* The same of any range; PRESENCE_UNKNOWN where the kernel does not say, or is not to be asked.
 * Time: two milliseconds a GiB, and not more than some ten. Keeps errno. */
uint64_t presence_look(const void *start, size_t bytes);

#endif
