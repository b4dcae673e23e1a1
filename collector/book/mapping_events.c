/*
 * An unmapping that may yet fail is kept, as the list of what it has cut out, until the same thread
 * unmaps again.
 */
#include "collector/book/mapping_events.h"

#include "collector/book/book.h"
#include "collector/book/inheritance.h"
#include "collector/book/ledger.h"

/* A failed unmapping of so many pieces costs no more than the words that tell of it. Larger ones
 * are believed until they have brought back PIECES_MAX: each could do so again for four words. */
#define PIECES_FREE 16u
#define PIECES_MAX  (UINT64_C(1) << 20)

/* The mapping leaves the sums, with all that is left of it. */
static void take_out(struct ledger *ledger, struct book *book, struct mapping *mapping)
{
    struct counter *counter = counters_at(&book->counters, mapping->counter);
    mapping->temporary = book_is_latest(book, counter->thread, mapping->number);
    if (book_keeps_history(ledger, book))
        mapping->lifetime = history_free(&book->history.writer, mapping->number, mapping->counter,
                                         mapping->bytes, mapping->born);
    counter_free(counter, &book->sums, mapping->bytes, mapping->temporary);
}

/* It comes back, with what is left of it now. */
static void bring_back(struct ledger *ledger, struct book *book, const struct mapping *mapping)
{
    if (book_keeps_history(ledger, book))
        history_restore(&book->history.writer, mapping->number, mapping->counter, mapping->bytes,
                        mapping->lifetime);
    counter_restore(counters_at(&book->counters, mapping->counter), &book->sums, mapping->bytes,
                    mapping->temporary, book->now);
}

static void set_bytes(struct ledger *ledger, struct book *book, struct mapping *mapping,
                      uint64_t bytes)
{
    if (mapping->bytes)
        take_out(ledger, book, mapping);
    mapping->bytes = bytes;
    if (bytes)
        bring_back(ledger, book, mapping);
}

/* Takes the range out of the mappings it belongs to. *cut: as mappings_cut(), for the caller to
 * release. False when memory is short. */
static bool cut_out(struct ledger *ledger, struct book *book, const struct address_range *range,
                    uint32_t *cut)
{
    struct mappings *mappings = &book->mappings;
    inheritance_touch_mappings(ledger, book);
    if (!mappings_cut(mappings, range->start, range->start + range->bytes, cut)) {
        NOTE_HERE(&ledger->memory_short);
        book_damage(book, DAMAGE_MEMORY);
        return false;
    }
    for (uint32_t number = *cut; number; number = mappings_range(mappings, number)->right) {
        const struct mapping_range *piece = mappings_range(mappings, number);
        struct mapping *mapping = mappings_at(mappings, piece->mapping);
        set_bytes(ledger, book, mapping, mapping->bytes - (piece->end - piece->start));
    }
    return true;
}

/* What a new mapping covers is gone. */
static bool make_room(struct ledger *ledger, struct book *book, const struct address_range *range)
{
    uint32_t covered;
    bool cut = cut_out(ledger, book, range, &covered);
    if (cut)
        mappings_release(&book->mappings, covered);
    return cut;
}

void mapping_events_map(struct ledger *ledger, struct book *book, const struct address_range *range,
                        uint32_t node, uint32_t thread)
{
    struct mappings *mappings = &book->mappings;
    if (!make_room(ledger, book, range))
        return;
    struct mapping mapping = {
        .bytes = range->bytes,
        .number = book->blocks_made,
        .born = book->history.writer.now_ms,
        .counter = counters_find(&book->counters, node, thread, WIRE_ALLOCATOR_MMAP,
                                 (uint8_t)size_class_of(range->bytes)),
    };
    uint32_t number = mapping.counter ? mappings_add(mappings, &mapping) : 0;
    if (!number ||
        !mappings_add_range(mappings, range->start, range->start + range->bytes, number)) {
        NOTE_HERE(&ledger->memory_short);
        book_damage(book, DAMAGE_MEMORY);
        return;
    }
    book->blocks_made++;
    book_note_latest(ledger, book, thread, mapping.number);
    if (book_keeps_history(ledger, book))
        history_allocate(&book->history.writer,
                         history_pair(&book->history.writer, mapping.counter, mapping.bytes));
    counter_allocate(counters_at(&book->counters, mapping.counter), &book->sums, mapping.bytes,
                     book->now);
}

void mapping_events_unmap(struct ledger *ledger, struct book *book, struct pending_unmap *pending,
                          const struct address_range *range)
{
    mappings_release(&book->mappings, pending->cut);
    *pending = (struct pending_unmap){.range = *range};
    if (cut_out(ledger, book, range, &pending->cut) && !pending->cut)
        book->unmatched_frees++;
}

/* Whether the pieces of a list may come back. */
static bool may_put_back(struct book *book, uint32_t cut)
{
    uint64_t pieces = 0;
    for (uint32_t number = cut; number; pieces++)
        number = mappings_range(&book->mappings, number)->right;
    if (pieces <= PIECES_FREE)
        return true;
    if (book->pieces_put_back + pieces > PIECES_MAX) {
        book_damage(book, DAMAGE_REPEATED);
        return false;
    }
    book->pieces_put_back += pieces;
    return true;
}

void mapping_events_unmap_failed(struct ledger *ledger, struct book *book,
                                 struct pending_unmap *pending, const struct address_range *range)
{
    struct mappings *mappings = &book->mappings;
    if (pending->range.start != range->start || pending->range.bytes != range->bytes) {
        book_damage(book, DAMAGE_UNDONE);
        return;
    }
    if (!pending->cut)
        book->unmatched_frees--;
    if (!may_put_back(book, pending->cut)) {
        mappings_release(mappings, pending->cut);
        *pending = (struct pending_unmap){0};
        return;
    }
    /* Nobody can have mapped anything there, unless the writer lies. */
    if (!make_room(ledger, book, range))
        return;
    for (uint32_t number = pending->cut; number; number = mappings_put_back(mappings, number)) {
        const struct mapping_range *piece = mappings_range(mappings, number);
        struct mapping *mapping = mappings_at(mappings, piece->mapping);
        set_bytes(ledger, book, mapping, mapping->bytes + (piece->end - piece->start));
    }
    *pending = (struct pending_unmap){0};
}
