/*
 * An unmapping that may yet fail is kept, as the list of what it has cut out, until the same thread
 * unmaps again.
 */
#include "collector/book/mapping_events.h"

#include "collector/book/book.h"
#include "collector/book/inheritance.h"
#include "collector/book/ledger.h"
#include "collector/book/touched.h"

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

static uint64_t end_of(const struct address_range *range)
{
    return range->start + range->bytes;
}

static void note_short(struct ledger *ledger, struct book *book)
{
    NOTE_HERE(&ledger->memory_short);
    book_damage(book, DAMAGE_MEMORY);
}

/* A piece holds so much from now on. */
static void set_held(struct ledger *ledger, struct book *book, uint32_t number, uint64_t held)
{
    struct mapping_range *piece = mappings_range(&book->mappings, number);
    struct mapping *mapping = mappings_at(&book->mappings, piece->mapping);
    uint64_t before = piece->held;
    ASSERT(held <= piece->end - piece->start && before <= mapping->bytes);
    piece->held = held;
    if (held != before)
        set_bytes(ledger, book, mapping, mapping->bytes - before + held);
}

static bool is_of(const struct book *book, uint32_t number, uint8_t allocator)
{
    uint32_t mapping = mappings_range(&book->mappings, number)->mapping;
    uint32_t counter = mappings_at(&book->mappings, mapping)->counter;
    return counters_at(&book->counters, counter)->allocator == allocator;
}

static uint64_t bytes_of_list(const struct mappings *mappings, uint32_t list)
{
    uint64_t bytes = 0;
    for (uint32_t number = list; number; number = mappings_range(mappings, number)->right)
        bytes += mappings_range(mappings, number)->end - mappings_range(mappings, number)->start;
    return bytes;
}

/* Takes the range out of the mappings it belongs to. *cut: as mappings_cut(), for the caller to
 * release; the pieces still say what they held. False when memory is short. */
static bool cut_out(struct ledger *ledger, struct book *book, const struct address_range *range,
                    uint64_t present, uint32_t *cut, uint64_t *untouched)
{
    struct mappings *mappings = &book->mappings;
    inheritance_touch_mappings(ledger, book);
    if (!mappings_cut(mappings, range->start, end_of(range), cut)) {
        note_short(ledger, book);
        return false;
    }
    touched_look(ledger, book, range->start, end_of(range), bytes_of_list(mappings, *cut), present);
    *untouched = 0;
    for (uint32_t number = *cut; number; number = mappings_range(mappings, number)->right) {
        const struct mapping_range piece = *mappings_range(mappings, number);
        *untouched += touched_end(ledger, book, piece.start, piece.end);
        set_held(ledger, book, number, 0);
        touched_settle(book);
        mappings_range(mappings, number)->held = piece.held;
    }
    return true;
}

/* What a new mapping covers is gone. */
static bool make_room(struct ledger *ledger, struct book *book, const struct address_range *range)
{
    uint32_t covered;
    uint64_t untouched;
    bool cut = cut_out(ledger, book, range, PRESENCE_UNKNOWN, &covered, &untouched);
    if (cut)
        mappings_release(&book->mappings, covered);
    return cut;
}

/* A block that has no range yet; 0: memory is short. */
static uint32_t make_block(struct ledger *ledger, struct book *book, const struct mapped *mapped,
                           uint64_t bytes)
{
    struct mapping mapping = {
        .bytes = bytes,
        .number = book->blocks_made,
        .born = book->history.writer.now_ms,
        .counter = counters_find(&book->counters, mapped->node, mapped->thread, mapped->allocator,
                                 (uint8_t)size_class_of(bytes)),
    };
    uint32_t number = mapping.counter ? mappings_add(&book->mappings, &mapping) : 0;
    if (!number)
        note_short(ledger, book);
    return number;
}

static bool add_to_block(struct ledger *ledger, struct book *book, uint32_t number, uint64_t start,
                         uint64_t end)
{
    const struct mapping_range range = {
        .start = start, .end = end, .held = end - start, .mapping = number};
    bool added = mappings_add_range(&book->mappings, &range);
    if (!added)
        note_short(ledger, book);
    return added;
}

/* The block has its ranges: it is counted. */
static void count_block(struct ledger *ledger, struct book *book, uint32_t number, uint32_t thread)
{
    const struct mapping *mapping = mappings_at(&book->mappings, number);
    struct counter *counter = counters_at(&book->counters, mapping->counter);
    book->blocks_made++;
    book_note_latest(ledger, book, thread, mapping->number);
    if (book_keeps_history(ledger, book))
        history_allocate(&book->history.writer,
                         history_pair(&book->history.writer, mapping->counter, mapping->bytes));
    if (counter->is_apart)
        counter_allocate_apart(counter, &book->sums, mapping->bytes);
    else
        counter_allocate(counter, &book->sums, mapping->bytes, book->now);
}

static void begin_presence(struct ledger *ledger, struct book *book, uint32_t number,
                           uint64_t start, uint64_t end, uint64_t touched)
{
    const struct mapping_range range = {.start = start, .end = end};
    touched_begin(ledger, book, &range, mappings_at(&book->mappings, number)->counter, touched);
}

void mapping_events_map(struct ledger *ledger, struct book *book, const struct mapped *mapped)
{
    const struct address_range *range = &mapped->range;
    if (!make_room(ledger, book, range))
        return;
    uint32_t number = make_block(ledger, book, mapped, range->bytes);
    if (!number || !add_to_block(ledger, book, number, range->start, end_of(range)))
        return;
    begin_presence(ledger, book, number, range->start, end_of(range), mapped->touched);
    count_block(ledger, book, number, mapped->thread);
}

void mapping_events_unmap(struct ledger *ledger, struct book *book, struct pending_unmap *pending,
                          const struct address_range *range, uint64_t present)
{
    uint64_t untouched;
    mappings_release(&book->mappings, pending->cut);
    *pending = (struct pending_unmap){.range = *range};
    if (!cut_out(ledger, book, range, present, &pending->cut, &untouched))
        return;
    pending->touched = range->bytes - untouched;
    if (!pending->cut)
        book->unmatched_frees++;
}

uint8_t mapping_events_kind(const struct book *book, const struct pending_unmap *pending)
{
    if (!pending->cut)
        return WIRE_ALLOCATOR_MMAP;
    uint32_t mapping = mappings_range(&book->mappings, pending->cut)->mapping;
    return counters_at(&book->counters, mappings_at(&book->mappings, mapping)->counter)->allocator;
}

/* Whether the pieces of a list may come back. */
static bool may_put_back(struct book *book, uint32_t cut)
{
    uint64_t pieces = 0;
    for (uint32_t number = cut; number; pieces++)
        number = mappings_range(&book->mappings, number)->right;
    if (pieces <= PIECES_FREE)
        return true;
    if (book->mappings.pieces_put_back + pieces > PIECES_MAX) {
        book_damage(book, DAMAGE_REPEATED);
        return false;
    }
    book->mappings.pieces_put_back += pieces;
    return true;
}

/* A piece that was cut out is what it was. */
static uint32_t put_back(struct ledger *ledger, struct book *book, uint32_t number)
{
    uint64_t held = mappings_range(&book->mappings, number)->held;
    mappings_range(&book->mappings, number)->held = 0;
    set_held(ledger, book, number, held);
    return mappings_put_back(&book->mappings, number);
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
    for (uint32_t number = pending->cut; number;)
        number = put_back(ledger, book, number);
    *pending = (struct pending_unmap){0};
}

/* --- what stays mapped -------------------------------------------------------------------------
 */

/* Goes on with what of a range [at, end) there is; 0: nothing more. */
static uint32_t next_in(const struct book *book, uint64_t at, uint64_t end)
{
    uint32_t number = at < end ? mappings_beyond(&book->mappings, at) : 0;
    return number && mappings_range(&book->mappings, number)->start < end ? number : 0;
}

/* The next part of [*at, end) that is of this allocator, and moves *at behind it; false: none. */
static bool next_part(const struct book *book, uint64_t *at, uint64_t end, uint8_t allocator,
                      struct address_range *part)
{
    for (uint32_t number; (number = next_in(book, *at, end)) != 0;) {
        const struct mapping_range *range = mappings_range(&book->mappings, number);
        uint64_t first = range->start > *at ? range->start : *at;
        *at = range->end < end ? range->end : end;
        *part = (struct address_range){first, *at - first};
        if (is_of(book, number, allocator))
            return true;
    }
    return false;
}

static uint64_t bytes_of(const struct book *book, const struct address_range *range,
                         uint8_t allocator)
{
    struct address_range part;
    uint64_t bytes = 0;
    for (uint64_t at = range->start; next_part(book, &at, end_of(range), allocator, &part);)
        bytes += part.bytes;
    return bytes;
}

void mapping_events_open(struct ledger *ledger, struct book *book, const struct mapped *mapped)
{
    const struct address_range *range = &mapped->range;
    struct address_range part;
    inheritance_touch_mappings(ledger, book);
    uint64_t bytes = bytes_of(book, range, WIRE_ALLOCATOR_RESERVED);
    uint32_t number = bytes ? make_block(ledger, book, mapped, bytes) : 0;
    if (!number)
        return;
    bool done = true;
    for (uint64_t at = range->start;
         done && next_part(book, &at, end_of(range), WIRE_ALLOCATOR_RESERVED, &part);) {
        done = make_room(ledger, book, &part) &&
               add_to_block(ledger, book, number, part.start, end_of(&part));
        if (done)
            begin_presence(ledger, book, number, part.start, end_of(&part), 0);
    }
    if (done)
        count_block(ledger, book, number, mapped->thread);
    else
        touched_end(ledger, book, range->start, end_of(range));
    touched_settle(book);
}

/* Sets what a part of a mapping holds. False: memory is short. */
static bool set_part(struct ledger *ledger, struct book *book, const struct address_range *part,
                     uint64_t held)
{
    uint32_t cut;
    if (!mappings_cut(&book->mappings, part->start, end_of(part), &cut)) {
        note_short(ledger, book);
        return false;
    }
    ASSERT(cut && !mappings_range(&book->mappings, cut)->right);
    set_held(ledger, book, cut, held);
    mappings_put_back(&book->mappings, cut);
    return true;
}

void mapping_events_empty(struct ledger *ledger, struct book *book,
                          const struct address_range *range, uint64_t present, bool lazily)
{
    struct address_range part;
    inheritance_touch_mappings(ledger, book);
    touched_look(ledger, book, range->start, end_of(range),
                 bytes_of(book, range, WIRE_ALLOCATOR_MMAP), present);
    for (uint64_t at = range->start;
         next_part(book, &at, end_of(range), WIRE_ALLOCATOR_MMAP, &part);) {
        touched_end(ledger, book, part.start, end_of(&part));
        if (!set_part(ledger, book, &part, 0)) {
            touched_settle(book); /* it counts as touched */
            return;
        }
        touched_settle(book);
        if (!lazily)
            touched_note_emptied(ledger, book, part.start, end_of(&part));
    }
}

void mapping_events_refill(struct ledger *ledger, struct book *book,
                           const struct address_range *range, uint64_t present)
{
    struct address_range part;
    inheritance_touch_mappings(ledger, book);
    for (uint64_t at = range->start;
         next_part(book, &at, end_of(range), WIRE_ALLOCATOR_MMAP, &part);)
        if (!set_part(ledger, book, &part,
                      (uint64_t)((double)present * ((double)part.bytes / (double)range->bytes))))
            return;
}
