/*
 * What a process has said that ranges of its addresses are for (wire.h, PLACE).
 *
 * Nothing is counted by it: what is missing for want of memory, or because it was said before the
 * recording began, is a less precise answer (survey/ground.h). One thread.
 */
#ifndef HEAPLINE_COLLECTOR_PLACES_H
#define HEAPLINE_COLLECTOR_PLACES_H

#include <stdbool.h>
#include <stdint.h>

#include "collector/book/mappings.h"
#include "wire.h"

struct places {
    /* Each mapping has one range; its `counter` is an enum wire_place, its `number` the address in
     * the code that has asked for it, where that is MAPPED. */
    struct mappings ranges;
    uint64_t *stacks; /* an address in each */
    uint32_t stack_count, stack_capacity;
    uint64_t allocator; /* an address in its code; 0: not known */
};

/* What comes from the kernel and not from the wire: that a range was given back lazily. */
#define PLACE_LAZY ((enum wire_place)WIRE_PLACE_COUNT)

void places_note(struct places *places, enum wire_place kind, uint64_t start, uint64_t bytes,
                 uint64_t caller);

/* `to` is empty. Without memory it stays so. */
void places_copy(struct places *to, const struct places *from);
void places_deinit(struct places *places);

/* What is said of an address, and of all behind it up to *end, which is where something else
 * begins. WIRE_PLACE_GONE: nothing. *caller: as above. */
enum wire_place places_at(const struct places *places, uint64_t address, uint64_t *end,
                          uint64_t *caller);

/* Is there a stack in [start, end)? */
bool places_has_stack(const struct places *places, uint64_t start, uint64_t end);

#endif
