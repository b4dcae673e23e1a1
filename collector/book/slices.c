/*
 * Taking slices. A slice costs a look at every counter, so it is never taken more often than a part
 * of the time allows.
 *
 * When memory is short a slice is left out; its changes are in the next one.
 */
#include "collector/book/slices.h"

#include "collector/base/clock.h"
#include "collector/book/book.h"
#include "collector/book/ledger.h"

/* Between two slices at least so many times what one takes. */
#define SLICE_SHARE 50u

static struct change_row change_of(const struct counter *counter, const struct slice_base *base)
{
    return (struct change_row){
        .allocations = counter->allocations - base->allocations,
        .allocated_bytes = counter->allocated_bytes - base->allocated_bytes,
        .blocks = (int64_t)(counter_blocks(counter) - base->blocks),
        .bytes = (int64_t)(counter->bytes - base->bytes),
    };
}

static bool is_change(const struct change_row *row)
{
    return row->allocations || row->blocks || row->bytes;
}

/* Packs the changes of all counters; false when memory is short. */
static bool append_changes(struct ledger *ledger, struct book *book)
{
    const struct slice_base *bases = book->slices.base.data;
    struct history_position position = {
        .kind = HISTORY_PART_SLICE, .event = book->sums.events, .time = book->now};
    for (uint32_t i = 1; i < book->counters.count; i++) {
        struct change_row row = change_of(counters_at(&book->counters, i), &bases[i]);
        row.counter = i;
        if (is_change(&row))
            chunk_add_change(&ledger->chunk, &row);
        if (ledger->chunk.rows == CHUNK_ROWS &&
            !history_queue_append_rows(&book->history, &ledger->chunk, &position))
            return false;
    }
    return history_queue_append_rows(&book->history, &ledger->chunk, &position);
}

static void set_bases(struct book *book)
{
    struct slice_base *bases = book->slices.base.data;
    for (uint32_t i = 1; i < book->counters.count; i++) {
        const struct counter *counter = counters_at(&book->counters, i);
        bases[i] = (struct slice_base){.allocations = counter->allocations,
                                       .allocated_bytes = counter->allocated_bytes,
                                       .bytes = counter->bytes,
                                       .blocks = counter_blocks(counter)};
    }
}

void slices_end(struct ledger *ledger, struct book *book)
{
    struct slices *slices = &book->slices;
    if (ledger->keeps_history || slices->last_event == book->sums.events)
        return;
    if (!vector_reserve(&slices->base, book->counters.count, sizeof(struct slice_base)) ||
        !append_changes(ledger, book)) {
        NOTE_HERE(&ledger->memory_short);
        return;
    }
    set_bases(book);
    slices->last_event = book->sums.events;
}

void slices_take(struct ledger *ledger, struct book *book, uint64_t now_ns)
{
    struct slices *slices = &book->slices;
    if (now_ns < slices->next_ns || ledger->keeps_history)
        return;
    uint64_t before = clock_computed();
    slices_end(ledger, book);
    uint64_t pause = (clock_computed() - before) * SLICE_SHARE;
    if (!slices->interval_ns)
        slices->interval_ns = SLICES_FIRST_NS;
    if (++slices->taken == SLICES_BEFORE_WIDENING) {
        slices->taken = 0;
        slices->interval_ns *= 2;
    }
    slices->next_ns = now_ns + (pause > slices->interval_ns ? pause : slices->interval_ns);
}
