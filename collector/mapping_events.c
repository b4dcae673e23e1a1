/*
 * An unmapping that may yet fail is kept, as the list of what it has cut out, until the same thread
 * unmaps again.
 */
#include "mapping_events.h"

#include "inheritance.h"
#include "process.h"

/* A failed unmapping of so many pieces costs no more than the words that tell of it. Larger ones
 * are believed until they have brought back PIECES_MAX: each could do so again for four words. */
#define PIECES_FREE 16u
#define PIECES_MAX  (UINT64_C(1) << 20)

/* The mapping leaves the sums, with all that is left of it. */
static void take_out(struct run *run, struct process *process, struct mapping *mapping)
{
    struct counter *counter = counters_at(&process->counters, mapping->counter);
    mapping->temporary = process_is_latest(process, counter->thread, mapping->number);
    if (process_keeps_history(run, process))
        mapping->lifetime = history_free(&process->history.writer, mapping->number,
                                         mapping->counter, mapping->bytes, mapping->born);
    counter_free(counter, &process->sums, mapping->bytes, mapping->temporary);
}

/* It comes back, with what is left of it now. */
static void bring_back(struct run *run, struct process *process, const struct mapping *mapping)
{
    if (process_keeps_history(run, process))
        history_restore(&process->history.writer, mapping->number, mapping->counter, mapping->bytes,
                        mapping->lifetime);
    counter_restore(counters_at(&process->counters, mapping->counter), &process->sums,
                    mapping->bytes, mapping->temporary, process->now);
}

static void set_bytes(struct run *run, struct process *process, struct mapping *mapping,
                      uint64_t bytes)
{
    if (mapping->bytes)
        take_out(run, process, mapping);
    mapping->bytes = bytes;
    if (bytes)
        bring_back(run, process, mapping);
}

/* Takes the range out of the mappings it belongs to. *cut: as mappings_cut(), for the caller to
 * release. False when memory is short. */
static bool cut_out(struct run *run, struct process *process, const struct address_range *range,
                    uint32_t *cut)
{
    struct mappings *mappings = &process->mappings;
    inheritance_touch_mappings(run, process);
    if (!mappings_cut(mappings, range->start, range->start + range->bytes, cut)) {
        run->memory_short = true;
        process->damaged++;
        return false;
    }
    for (uint32_t number = *cut; number; number = mappings_range(mappings, number)->right) {
        const struct mapping_range *piece = mappings_range(mappings, number);
        struct mapping *mapping = mappings_at(mappings, piece->mapping);
        set_bytes(run, process, mapping, mapping->bytes - (piece->end - piece->start));
    }
    return true;
}

/* What a new mapping covers is gone. */
static bool make_room(struct run *run, struct process *process, const struct address_range *range)
{
    uint32_t covered;
    bool cut = cut_out(run, process, range, &covered);
    if (cut)
        mappings_release(&process->mappings, covered);
    return cut;
}

void mapping_events_map(struct run *run, struct process *process, const struct address_range *range,
                        uint32_t node, uint32_t thread)
{
    struct mappings *mappings = &process->mappings;
    if (!make_room(run, process, range))
        return;
    struct mapping mapping = {
        .bytes = range->bytes,
        .number = process->blocks_made,
        .born = process->history.writer.now_ms,
        .counter = counters_find(&process->counters, node, thread, WIRE_ALLOCATOR_MMAP,
                                 (uint8_t)size_class_of(range->bytes)),
    };
    uint32_t number = mapping.counter ? mappings_add(mappings, &mapping) : 0;
    if (!number ||
        !mappings_add_range(mappings, range->start, range->start + range->bytes, number)) {
        run->memory_short = true;
        process->damaged++;
        return;
    }
    process->blocks_made++;
    process_note_latest(run, process, thread, mapping.number);
    if (process_keeps_history(run, process))
        history_allocate(&process->history.writer, mapping.counter, mapping.bytes);
    counter_allocate(counters_at(&process->counters, mapping.counter), &process->sums,
                     mapping.bytes, process->now);
}

void mapping_events_unmap(struct run *run, struct process *process, unsigned slot,
                          const struct address_range *range)
{
    struct pending_unmap *pending = &process->unmaps[slot];
    mappings_release(&process->mappings, pending->cut);
    *pending = (struct pending_unmap){.range = *range};
    if (cut_out(run, process, range, &pending->cut) && !pending->cut)
        process->unmatched_frees++;
}

/* Whether the pieces of a list may come back. */
static bool may_put_back(struct process *process, uint32_t cut)
{
    uint64_t pieces = 0;
    for (uint32_t number = cut; number; pieces++)
        number = mappings_range(&process->mappings, number)->right;
    if (pieces <= PIECES_FREE)
        return true;
    if (process->pieces_put_back + pieces > PIECES_MAX) {
        process->damaged++;
        return false;
    }
    process->pieces_put_back += pieces;
    return true;
}

void mapping_events_unmap_failed(struct run *run, struct process *process, unsigned slot,
                                 const struct address_range *range)
{
    struct pending_unmap *pending = &process->unmaps[slot];
    struct mappings *mappings = &process->mappings;
    if (pending->range.start != range->start || pending->range.bytes != range->bytes) {
        process->damaged++;
        return;
    }
    if (!pending->cut)
        process->unmatched_frees--;
    if (!may_put_back(process, pending->cut)) {
        mappings_release(mappings, pending->cut);
        *pending = (struct pending_unmap){0};
        return;
    }
    /* Nobody can have mapped anything there, unless the writer lies. */
    if (!make_room(run, process, range))
        return;
    for (uint32_t number = pending->cut; number; number = mappings_put_back(mappings, number)) {
        const struct mapping_range *piece = mappings_range(mappings, number);
        struct mapping *mapping = mappings_at(mappings, piece->mapping);
        set_bytes(run, process, mapping, mapping->bytes + (piece->end - piece->start));
    }
    *pending = (struct pending_unmap){0};
}
