/*
 * Ranges that are not known to be touched in full, and the sums of what they lack.
 */
#include "collector/book/touched.h"

#include "assertion.h"
#include "collector/book/book.h"

/* --- sums --------------------------------------------------------------------------------------
 */

static struct untouched *untouched_at(const struct presence *presence, uint32_t number)
{
    ASSERT(number > 0 && number <= presence->counter_count);
    return (struct untouched *)presence->counters.data + number;
}

/* What the counter has untouched; made when new, null: memory is short. */
static struct untouched *untouched_of(struct presence *presence, uint32_t counter)
{
    if (!presence->by_counter.entries.data && !index_init(&presence->by_counter))
        return NULL;
    uint32_t *at = index_at(&presence->by_counter, counter);
    uint32_t next = presence->counter_count + 1;
    if (at && *at)
        return untouched_at(presence, *at);
    if (!at || !vector_reserve(&presence->counters, (size_t)next + 1, sizeof(struct untouched)))
        return NULL;
    *at = presence->counter_count = next;
    *untouched_at(presence, next) = (struct untouched){.counter = counter};
    return untouched_at(presence, next);
}

static void settle(struct untouched *of, const struct heap_sums *sums)
{
    if (of->epoch < sums->touched.epoch)
        of->at_peak = of->bytes;
    of->epoch = sums->epoch;
    if (of->marks != (uint32_t)sums->touched_share.epoch)
        of->at_mark = of->bytes;
    of->marks = (uint32_t)sums->touched_share.epoch;
}

/* Adds to what a counter has untouched. Only an addition can fail. */
static bool add_untouched(struct book *book, uint32_t counter, uint64_t bytes)
{
    struct untouched *of = untouched_of(&book->presence, counter);
    if (!of)
        return false;
    settle(of, &book->sums);
    of->bytes += bytes;
    book->sums.untouched += bytes;
    heap_sums_set_alert(&book->sums);
    return true;
}

static struct untouched *find_untouched(const struct presence *presence, uint32_t counter)
{
    uint32_t number =
        presence->by_counter.entries.data ? index_find(&presence->by_counter, counter) : 0;
    return number ? untouched_at(presence, number) : NULL;
}

static void take_untouched(struct book *book, uint32_t counter, uint64_t bytes)
{
    struct untouched *of = find_untouched(&book->presence, counter);
    if (!bytes)
        return;
    ASSERT(of && of->bytes >= bytes && book->sums.untouched >= bytes);
    settle(of, &book->sums);
    of->bytes -= bytes;
    book->sums.untouched -= bytes;
    heap_sums_set_alert(&book->sums);
}

void touched_note_most(struct book *book)
{
    struct presence *presence = &book->presence;
    int64_t most = (int64_t)book->sums.most_touched - (int64_t)presence->found;
    presence->most = most > presence->most ? most : presence->most;
}

void touched_note_whole_look(struct book *book)
{
    struct presence *presence = &book->presence;
    touched_note_most(book);
    int64_t possible = presence->most + (int64_t)presence->found;
    if (presence->found && possible > (int64_t)presence->most_possible)
        presence->most_possible = (uint64_t)possible;
    presence->found = 0;
    struct heap_sums *sums = &book->sums;
    if (sums->most_touched > sums->most_touched_before)
        sums->most_touched_before = sums->most_touched;
    sums->most_touched = sums->bytes - sums->untouched;
    presence->most = (int64_t)sums->most_touched;
    heap_sums_set_alert(sums);
}

void touched_note_found(struct book *book, uint32_t counter, uint64_t bytes)
{
    touched_note_most(book);
    take_untouched(book, counter, bytes);
    book->presence.found += bytes;
    heap_sums_note_growth(&book->sums, book->now);
}

uint64_t touched_at_peak(const struct book *book, uint32_t counter)
{
    const struct untouched *of = find_untouched(&book->presence, counter);
    if (!of)
        return 0;
    return of->epoch < book->sums.touched.epoch ? of->bytes : of->at_peak;
}

uint64_t touched_at_mark(const struct book *book, const struct untouched *of)
{
    return of->marks == (uint32_t)book->sums.touched_share.epoch ? of->at_mark : of->bytes;
}

/* --- ranges ------------------------------------------------------------------------------------
 */

/* Adds a range with what is missing of it; nothing where nothing is. */
static bool add_range(struct mappings *mappings, uint64_t start, uint64_t end, uint64_t missing,
                      uint32_t counter)
{
    if (!missing)
        return true;
    ASSERT(missing <= end - start);
    uint32_t number =
        mappings_add(mappings, &(struct mapping){.bytes = missing, .counter = counter});
    return number && mappings_add_range(mappings, &(struct mapping_range){.start = start,
                                                                          .end = end,
                                                                          .held = end - start,
                                                                          .mapping = number});
}

void touched_forget(struct mappings *mappings, uint64_t start, uint64_t end)
{
    uint32_t cut;
    /* No range is cut into two: nothing need be made for that. */
    if (mappings_cut(mappings, start, end, &cut))
        mappings_release(mappings, cut);
}

static void note_short(struct ledger *ledger)
{
    NOTE_HERE(&ledger->memory_short);
}

static bool is_counted(const struct book *book, uint32_t counter)
{
    return !counters_at(&book->counters, counter)->is_apart;
}

/* The share that `part` bytes of `whole` have in `amount`. */
static uint64_t part_of(uint64_t amount, uint64_t part, uint64_t whole)
{
    uint64_t share = (uint64_t)((double)amount * ((double)part / (double)whole));
    return share < part ? share : part;
}

static void note_largest(struct presence *presence, uint64_t missing, uint32_t counter)
{
    if (missing <= presence->largest)
        return;
    presence->largest = missing;
    presence->largest_counter = counter;
}

/* Adds a part of a range that was taken apart; where memory is short what it lacks counts as
 * touched.
 */
static void add_part(struct ledger *ledger, struct book *book, struct mappings *mappings,
                     uint64_t start, uint64_t end, const struct mapping *part)
{
    if (add_range(mappings, start, end, part->bytes, part->counter))
        return;
    note_short(ledger);
    if (mappings == &book->presence.ranges)
        take_untouched(book, part->counter, part->bytes);
    heap_sums_note_growth(&book->sums, book->now);
}

/* Makes two ranges of one that has this address inside of it; each has its share of what is
 * missing.
 */
static void split_at(struct ledger *ledger, struct book *book, struct mappings *mappings,
                     uint64_t address)
{
    uint32_t number = mappings->live_ranges ? mappings_beyond(mappings, address) : 0;
    if (!number || mappings_range(mappings, number)->start >= address)
        return;
    const struct mapping_range range = *mappings_range(mappings, number);
    const struct mapping of = *mappings_at(mappings, range.mapping);
    struct mapping before = of, behind = of;
    uint64_t room = range.end - address;
    before.bytes = part_of(of.bytes, address - range.start, range.end - range.start);
    if (of.bytes - before.bytes > room) /* rounded */
        before.bytes = of.bytes - room;
    behind.bytes = of.bytes - before.bytes;
    touched_forget(mappings, range.start, range.end);
    add_part(ledger, book, mappings, range.start, address, &before);
    add_part(ledger, book, mappings, address, range.end, &behind);
}

/* The first range that has something of [start, end); 0: none has. */
static uint32_t first_in(const struct mappings *mappings, uint64_t start, uint64_t end)
{
    uint32_t number = mappings->live_ranges ? mappings_from(mappings, start) : 0;
    return number && mappings_range(mappings, number)->start < end ? number : 0;
}

static void split_around(struct ledger *ledger, struct book *book, struct mappings *mappings,
                         uint64_t start, uint64_t end)
{
    split_at(ledger, book, mappings, start);
    split_at(ledger, book, mappings, end);
}

static void forget_emptied(struct ledger *ledger, struct book *book, uint64_t start, uint64_t end)
{
    split_around(ledger, book, &book->presence.emptied, start, end);
    if (first_in(&book->presence.emptied, start, end))
        touched_forget(&book->presence.emptied, start, end);
}

/* A range misses no more than this. */
static void set_missing(struct book *book, uint32_t number, uint64_t missing)
{
    struct mappings *ranges = &book->presence.ranges;
    struct mapping *of = mappings_at(ranges, mappings_range(ranges, number)->mapping);
    uint64_t before = of->bytes;
    if (missing >= before)
        return;
    of->bytes = missing;
    touched_note_found(book, of->counter, before - missing);
}

/* The bytes of [start, end) that are in ranges. */
static uint64_t bytes_in(const struct mappings *ranges, uint64_t start, uint64_t end)
{
    uint64_t bytes = 0;
    for (uint32_t number; (number = first_in(ranges, start, end)) != 0;) {
        start = mappings_range(ranges, number)->end;
        bytes += start - mappings_range(ranges, number)->start;
    }
    return bytes;
}

void touched_set(struct book *book, uint64_t address, uint64_t present)
{
    struct mappings *ranges = &book->presence.ranges;
    uint32_t number = ranges->live_ranges ? mappings_from(ranges, address) : 0;
    if (!number || mappings_range(ranges, number)->start != address)
        return;
    uint64_t bytes = mappings_range(ranges, number)->end - address;
    set_missing(book, number, present < bytes ? bytes - present : 0);
}

void touched_look(struct ledger *ledger, struct book *book, uint64_t start, uint64_t end,
                  uint64_t mapped, uint64_t present)
{
    struct mappings *ranges = &book->presence.ranges;
    if (present == PRESENCE_UNKNOWN || !ranges->live_ranges)
        return;
    split_around(ledger, book, ranges, start, end);
    uint64_t among = bytes_in(ranges, start, end);
    uint64_t others = mapped > among ? mapped - among : 0; /* in memory in full */
    uint64_t left = present > others ? present - others : 0;
    left = left < among ? left : among;
    for (uint32_t number; (number = first_in(ranges, start, end)) != 0;) {
        uint64_t bytes =
            mappings_range(ranges, number)->end - mappings_range(ranges, number)->start;
        uint64_t share = part_of(left, bytes, among);
        start = mappings_range(ranges, number)->end;
        set_missing(book, number, bytes - share);
        left -= share;
        among -= bytes;
    }
}

uint64_t touched_end(struct ledger *ledger, struct book *book, uint64_t start, uint64_t end)
{
    struct mappings *ranges = &book->presence.ranges;
    uint64_t untouched = 0;
    forget_emptied(ledger, book, start, end);
    split_around(ledger, book, ranges, start, end);
    for (uint32_t number; (number = first_in(ranges, start, end)) != 0;) {
        const struct mapping_range range = *mappings_range(ranges, number);
        const struct mapping of = *mappings_at(ranges, range.mapping);
        touched_forget(ranges, range.start, range.end);
        note_largest(&book->presence, of.bytes, of.counter);
        take_untouched(book, of.counter, of.bytes);
        untouched += of.bytes;
    }
    return untouched;
}

void touched_settle(struct book *book)
{
    heap_sums_note_growth(&book->sums, book->now);
}

void touched_begin(struct ledger *ledger, struct book *book, const struct mapping_range *range,
                   uint32_t counter, uint64_t touched)
{
    uint64_t bytes = range->end - range->start;
    uint64_t missing = touched < bytes ? bytes - touched : 0;
    if (bytes < WIRE_LARGE_BYTES || book->presence.is_hidden || !is_counted(book, counter) ||
        !missing)
        return;
    touched_end(ledger, book, range->start, range->end); /* of those whose going was not seen */
    touched_settle(book);
    if (!add_untouched(book, counter, missing))
        return;
    if (!add_range(&book->presence.ranges, range->start, range->end, missing, counter)) {
        take_untouched(book, counter, missing);
        note_short(ledger);
    }
}

void touched_note_emptied(struct ledger *ledger, struct book *book, uint64_t start, uint64_t end)
{
    if (book->presence.is_hidden)
        return;
    forget_emptied(ledger, book, start, end);
    if (!add_range(&book->presence.emptied, start, end, end - start, 0))
        note_short(ledger);
}

void touched_hide(struct book *book)
{
    struct presence *presence = &book->presence;
    presence->is_hidden = true;
    for (uint32_t i = 1; i <= presence->counter_count; i++)
        take_untouched(book, untouched_at(presence, i)->counter, untouched_at(presence, i)->bytes);
    heap_sums_note_growth(&book->sums, book->now);
    mappings_deinit(&presence->ranges);
    mappings_deinit(&presence->emptied);
}

uint64_t touched_error(const struct book *book)
{
    /* Nothing can be touched that was not asked for. */
    uint64_t asked = book->sums.peak.bytes, possible = book->presence.most_possible;
    possible = possible < asked ? possible : asked;
    return possible > book->sums.touched.bytes ? possible - book->sums.touched.bytes : 0;
}
