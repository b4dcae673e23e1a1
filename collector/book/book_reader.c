#include "collector/book/book_reader.h"

struct book_totals book_totals(const struct book *book)
{
    const struct heap_sums *sums = &book->sums;
    const struct program_end *end = &book->end;
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
