/*
 * Answers from the counters and sums as they stand. That the sums are those of the counters is what
 * every report relies on; the tests' builds add them up each time that the totals are asked for.
 */
#include "collector/book/book_reader.h"

#include <string.h>

#include "assertion.h"
#include "collector/book/touched.h"

/* What it held at the two peaks is noted as far as it has been touched since (counter_settle()). */
static struct counter settled(const struct counter *counter, const struct heap_sums *sums)
{
    struct counter copy = *counter;
    counter_settle(&copy, sums);
    return copy;
}

/* Adds what a counter holds, and held at the heap's latest peaks, to these sums. */
static void add_counter(struct heap_sums *found, const struct counter *counter)
{
    found->by_allocator[counter->allocator] += counter->bytes;
    if (counter->is_apart)
        return;
    found->bytes += counter->bytes;
    found->blocks += counter->blocks;
    found->peak.bytes += counter->peak_bytes;
    found->peak.blocks += counter->peak_blocks;
    found->touched.bytes += counter->touched_bytes;
    found->touched.blocks += counter->touched_blocks;
    found->allocations += counter->allocations;
    found->allocated_bytes += counter->allocated_bytes;
}

/* Are the sums those of the counters? What is apart is no part of them. */
__attribute__((unused)) static bool adds_up(const struct book *book)
{
    const struct heap_sums *sums = &book->sums;
    struct heap_sums found = {0};
    for (uint32_t i = 1; i < book->counters.count; i++) {
        struct counter counter = settled(counters_at(&book->counters, i), sums);
        if (counter.inherited)
            continue;
        add_counter(&found, &counter);
        found.touched.bytes -= counter.is_apart ? 0 : touched_at_peak(book, i);
    }
    return found.bytes == sums->bytes && found.blocks == sums->blocks &&
           found.peak.bytes == sums->peak.bytes && found.peak.blocks == sums->peak.blocks &&
           found.touched.bytes == sums->touched.bytes &&
           found.touched.blocks == sums->touched.blocks && found.allocations == sums->allocations &&
           found.allocated_bytes == sums->allocated_bytes &&
           memcmp(found.by_allocator, sums->by_allocator, sizeof found.by_allocator) == 0;
}

/* Do the moments come in order, and before now? */
__attribute__((unused)) static bool is_in_order(const struct book *book)
{
    const struct heap_sums *sums = &book->sums;
    return sums->bytes <= sums->peak.bytes && sums->peak.events <= sums->events &&
           sums->bytes - sums->untouched <= sums->touched.bytes &&
           sums->touched.bytes <= sums->peak.bytes && sums->touched.events <= sums->events &&
           book->end.events <= sums->events && sums->allocations - sums->frees == sums->blocks;
}

static struct book_moment moment_of(const struct heap_peak *peak)
{
    return (struct book_moment){peak->bytes, peak->blocks, peak->events, peak->time};
}

/* The most that a block has untouched, of those that have gone and those that are there. */
static uint64_t largest_untouched(const struct book *book, uint32_t *counter)
{
    uint64_t largest = book->presence.largest;
    *counter = book->presence.largest_counter;
    const struct mappings *ranges = &book->presence.ranges;
    for (uint32_t number = ranges->live_ranges ? mappings_from(ranges, 0) : 0; number;
         number = mappings_from(ranges, mappings_range(ranges, number)->start + 1)) {
        const struct mapping *of = mappings_at(ranges, mappings_range(ranges, number)->mapping);
        if (of->bytes <= largest)
            continue;
        largest = of->bytes;
        *counter = of->counter;
    }
    return largest;
}

struct book_totals book_totals(const struct book *book)
{
    const struct heap_sums *sums = &book->sums;
    const struct program_end *end = &book->end;
    ASSERT(is_in_order(book));
    ASSERT_SLOWLY(adds_up(book));
    const struct book_moment now = {sums->bytes, sums->blocks, sums->events, book->now};
    uint32_t largest_of;
    uint64_t largest = largest_untouched(book, &largest_of);
    return (struct book_totals){
        .peak = moment_of(&sums->peak),
        .touched = moment_of(&sums->touched),
        .touched_error = touched_error(book),
        .largest_untouched = largest,
        .largest_node = largest ? counters_at(&book->counters, largest_of)->node : 0,
        .end =
            end->seen ? (struct book_moment){end->bytes, end->blocks, end->events, end->time} : now,
        .now = now,
        .end_seen = end->seen,
        .allocations = sums->allocations,
        .allocated_bytes = sums->allocated_bytes,
        .frees = sums->frees,
        .unmatched_frees = book->unmatched_frees,
    };
}

/* What the counter held at the end of the program's own code. */
static void fill_end(struct book_walk *walk, struct counter_row *row)
{
    const struct program_end *end = &walk->book->end;
    const struct end_entry *entries = end->entries.data;
    if (!end->seen) {
        row->end_blocks = row->leaked_blocks;
        row->end_bytes = row->leaked_bytes;
    } else if (walk->end_at < end->count && entries[walk->end_at].counter == walk->counter) {
        row->end_blocks = entries[walk->end_at].blocks;
        row->end_bytes = entries[walk->end_at].bytes;
        walk->end_at++;
    }
}

/* What a child holds less than at the fork is what it has freed. */
static void tell_as_freed(struct counter_row *row)
{
    uint64_t *const blocks[] = {&row->peak_blocks, &row->end_blocks, &row->leaked_blocks};
    uint64_t *const bytes[] = {&row->peak_bytes, &row->end_bytes, &row->leaked_bytes};
    for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++) {
        *blocks[i] = (uint32_t) - *blocks[i];
        *bytes[i] = -*bytes[i];
    }
}

bool book_walk_next(struct book_walk *walk, struct counter_row *row, bool *inherited)
{
    if (++walk->counter >= walk->book->counters.count)
        return false;
    struct counter *counter = counters_at(&walk->book->counters, walk->counter);
    counter_settle(counter, &walk->book->sums);
    *row = (struct counter_row){.node = counter->node,
                                .thread = counter->thread,
                                .allocator = counter->allocator,
                                .size_class = counter->size_class,
                                .allocations = counter->allocations,
                                .allocated_bytes = counter->allocated_bytes,
                                .peak_blocks = counter->peak_blocks,
                                .peak_bytes = counter->peak_bytes,
                                .leaked_blocks = counter->blocks,
                                .leaked_bytes = counter->bytes,
                                .temporary_blocks = counter->temporary_blocks,
                                .temporary_bytes = counter->temporary_bytes};
    fill_end(walk, row);
    *inherited = counter->inherited;
    if (counter->inherited)
        tell_as_freed(row);
    return true;
}

bool book_touched_is_peak(const struct book *book)
{
    const struct heap_sums *sums = &book->sums;
    return sums->touched.events == sums->peak.events && sums->touched.bytes == sums->peak.bytes;
}

struct live_row book_touched(const struct book *book, uint32_t counter)
{
    struct counter now = settled(counters_at(&book->counters, counter), &book->sums);
    if (now.is_apart)
        return (struct live_row){.counter = counter};
    ASSERT(touched_at_peak(book, counter) <= now.touched_bytes);
    return (struct live_row){.counter = counter,
                             .blocks = now.touched_blocks,
                             .bytes = now.touched_bytes - touched_at_peak(book, counter)};
}
