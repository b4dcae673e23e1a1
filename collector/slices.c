/*
 * Taking slices. A slice costs a look at every counter, so it is never taken more often than a part
 * of the time allows.
 *
 * When memory is short a slice is left out; its changes are in the next one.
 */
#include "slices.h"

#include "clock.h"
#include "process.h"

/* Between two slices at least so many times what one takes. */
#define SLICE_SHARE 50u

void slices_deinit(struct slices *slices)
{
    vector_deinit(&slices->base);
}

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
static bool append_changes(struct run *run, struct process *process)
{
    const struct slice_base *bases = process->slices.base.data;
    struct history_place place = {
        .kind = HISTORY_PART_SLICE, .event = process->sums.events, .time = process->now};
    for (uint32_t i = 1; i < process->counters.count; i++) {
        struct change_row row = change_of(counters_at(&process->counters, i), &bases[i]);
        row.counter = i;
        if (is_change(&row))
            chunk_add_change(&run->chunk, &row);
        if (run->chunk.rows == CHUNK_ROWS &&
            !history_queue_append_rows(&process->history, &run->chunk, &place))
            return false;
    }
    return history_queue_append_rows(&process->history, &run->chunk, &place);
}

static void set_bases(struct process *process)
{
    struct slice_base *bases = process->slices.base.data;
    for (uint32_t i = 1; i < process->counters.count; i++) {
        const struct counter *counter = counters_at(&process->counters, i);
        bases[i] = (struct slice_base){.allocations = counter->allocations,
                                       .allocated_bytes = counter->allocated_bytes,
                                       .bytes = counter->bytes,
                                       .blocks = counter_blocks(counter)};
    }
}

void slices_end(struct run *run, struct process *process)
{
    struct slices *slices = &process->slices;
    if (run->keeps_history || slices->last_event == process->sums.events)
        return;
    if (!vector_reserve(&slices->base, process->counters.count, sizeof(struct slice_base)) ||
        !append_changes(run, process)) {
        run->memory_short = true;
        return;
    }
    set_bases(process);
    slices->last_event = process->sums.events;
}

void slices_take(struct run *run, struct process *process, uint64_t now_ns)
{
    struct slices *slices = &process->slices;
    if (now_ns < slices->next_ns || run->keeps_history)
        return;
    uint64_t before = clock_computed();
    slices_end(run, process);
    uint64_t pause = (clock_computed() - before) * SLICE_SHARE;
    if (!slices->interval_ns)
        slices->interval_ns = SLICES_FIRST_NS;
    if (++slices->taken == SLICES_BEFORE_WIDENING) {
        slices->taken = 0;
        slices->interval_ns *= 2;
    }
    slices->next_ns = now_ns + (pause > slices->interval_ns ? pause : slices->interval_ns);
}
