/*
 * The file as a source of counters. What only a history can tell is asked of it in either case:
 * where there is none it says so.
 */
#include "viewer/history/counter_source.h"

#include <math.h>

#include "allocators.h"
#include "viewer/history/play.h"
#include "viewer/history/slices.h"

/* There is one after each. */
static bool history_position_after(struct recording *recording, size_t process, uint64_t events,
                                   struct position *position)
{
    (void)recording, (void)process;
    *position = (struct position){events, NAN};
    return true;
}

static const struct counter_source history_source = {
    .visit = counters_visit,
    .position = history_position,
    .position_after = history_position_after,
    .held_at = history_held_at,
    .between = history_between,
    .temporary = history_temporary,
    .lifetimes = history_lifetimes,
};

static const struct counter_source slices_source = {
    .visit = counters_visit,
    .position = slices_position,
    .position_after = slices_position_after,
    .held_at = slices_held_at,
    .between = slices_between,
    .temporary = history_temporary,
    .lifetimes = history_lifetimes,
};

const struct counter_source *counter_source_of(const struct recording *recording)
{
    return recording->run.history ? &history_source : &slices_source;
}

struct own_sum {
    const struct held *held;
    struct held *sum;
};

static void add_own(void *context, size_t process, uint32_t number, const struct counter_row *row,
                    bool inherited)
{
    (void)process;
    struct own_sum *own = context;
    if (!inherited && !allocator_is_apart(row->allocator))
        held_add(own->sum, own->held[number]);
}

bool counters_sum_own(struct recording *recording, size_t process, const struct held *held,
                      struct held *sum)
{
    struct own_sum own = {held, sum};
    *sum = (struct held){0};
    return counter_source_of(recording)->visit(recording, process, add_own, &own);
}
