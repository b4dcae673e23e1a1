/*
 * The latest word holds.
 */
#include "collector/book/places.h"

#include <stdlib.h>

#include "collector/base/array.h"

/* More threads than run at once in what anybody traces; of later ones nothing is known. */
#define STACKS_MAX 65536u

static void note_stack(struct places *places, uint64_t address)
{
    if (places->stack_count == STACKS_MAX)
        return;
    uint64_t *stacks = array_grow(places->stacks, &places->stack_capacity, places->stack_count + 1,
                                  sizeof *stacks);
    if (!stacks)
        return;
    places->stacks = stacks;
    places->stacks[places->stack_count++] = address;
}

static void note_range(struct places *places, enum wire_place kind, uint64_t start, uint64_t end,
                       uint64_t caller)
{
    uint32_t cut;
    if (!mappings_cut(&places->ranges, start, end, &cut))
        return;
    mappings_release(&places->ranges, cut);
    if (kind == WIRE_PLACE_GONE)
        return;
    const struct mapping mapping = {.bytes = end - start, .number = caller, .counter = kind};
    const struct mapping_range range = {
        .start = start, .end = end, .mapping = mappings_add(&places->ranges, &mapping)};
    if (range.mapping)
        mappings_add_range(&places->ranges, &range);
}

void places_note(struct places *places, enum wire_place kind, uint64_t start, uint64_t bytes,
                 uint64_t caller)
{
    if (kind == WIRE_PLACE_STACK)
        note_stack(places, start);
    else if (kind == WIRE_PLACE_ALLOCATOR)
        places->allocator = start;
    else
        note_range(places, kind, start, start + bytes, caller);
}

void places_copy(struct places *to, const struct places *from)
{
    if (!mappings_copy(&to->ranges, &from->ranges))
        return;
    for (uint32_t i = 0; i < from->stack_count; i++)
        note_stack(to, from->stacks[i]);
    to->allocator = from->allocator;
}

void places_deinit(struct places *places)
{
    mappings_deinit(&places->ranges);
    free(places->stacks);
    *places = (struct places){0};
}

enum wire_place places_at(const struct places *places, uint64_t address, uint64_t *end,
                          uint64_t *caller)
{
    uint32_t number = mappings_beyond(&places->ranges, address);
    *end = UINT64_MAX;
    *caller = 0;
    if (!number)
        return WIRE_PLACE_GONE;
    const struct mapping_range *range = mappings_range(&places->ranges, number);
    *end = range->start > address ? range->start : range->end;
    if (range->start > address)
        return WIRE_PLACE_GONE;
    const struct mapping *mapping = mappings_at(&places->ranges, range->mapping);
    *caller = mapping->number;
    return (enum wire_place)mapping->counter;
}

bool places_has_stack(const struct places *places, uint64_t start, uint64_t end)
{
    for (uint32_t i = 0; i < places->stack_count; i++)
        if (places->stacks[i] >= start && places->stacks[i] < end)
            return true;
    return false;
}
