/*
 * Answers from the counters and sums as they stand. That the sums are those of the counters is what
 * every report relies on; the tests' builds add them up each time that the totals are asked for.
 */
#include "collector/book/book_reader.h"

#include <string.h>

#include "assertion.h"

/* Adds what a counter holds, and held at the heap's latest peak, to these sums. */
static void add_counter(struct heap_sums *sums, const struct counter *counter, uint64_t epoch)
{
    bool is_settled = counter->epoch == epoch;
    sums->bytes += counter->bytes;
    sums->blocks += counter->blocks;
    sums->peak_bytes += is_settled ? counter->peak_bytes : counter->bytes;
    sums->peak_blocks += is_settled ? counter->peak_blocks : counter->blocks;
    sums->allocations += counter->allocations;
    sums->allocated_bytes += counter->allocated_bytes;
    sums->by_allocator[counter->allocator] += counter->bytes;
}

/* Are the sums those of the counters? What is inherited is no part of them. */
__attribute__((unused)) static bool adds_up(const struct book *book)
{
    const struct heap_sums *sums = &book->sums;
    struct heap_sums found = {0};
    for (uint32_t i = 1; i < book->counters.count; i++)
        if (!counters_at(&book->counters, i)->inherited)
            add_counter(&found, counters_at(&book->counters, i), sums->epoch);
    return found.bytes == sums->bytes && found.blocks == sums->blocks &&
           found.peak_bytes == sums->peak_bytes && found.peak_blocks == sums->peak_blocks &&
           found.allocations == sums->allocations &&
           found.allocated_bytes == sums->allocated_bytes &&
           memcmp(found.by_allocator, sums->by_allocator, sizeof found.by_allocator) == 0;
}

/* Do the moments come in order, and before now? */
__attribute__((unused)) static bool is_in_order(const struct book *book)
{
    const struct heap_sums *sums = &book->sums;
    return sums->bytes <= sums->peak_bytes && sums->peak_events <= sums->events &&
           book->end.events <= sums->events && sums->allocations - sums->frees == sums->blocks;
}

struct book_totals book_totals(const struct book *book)
{
    const struct heap_sums *sums = &book->sums;
    const struct program_end *end = &book->end;
    ASSERT(is_in_order(book));
    ASSERT_SLOWLY(adds_up(book));
    const struct book_moment now = {sums->bytes, sums->blocks, sums->events, book->now};
    return (struct book_totals){
        .peak = {sums->peak_bytes, sums->peak_blocks, sums->peak_events, sums->peak_time},
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
