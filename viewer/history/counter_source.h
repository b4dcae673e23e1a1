/*
 * The source of counters: whom a query asks what a process's counters come to.
 *
 * Who the processes are and what counters refer to stands in the recording, in memory; what was
 * counted is asked for process by process, here. The file is one source where it has kept the
 * history and another one where it has slices alone. One that is asked while the run goes on needs
 * no more than this to be asked the same questions.
 *
 * All functions return false, with a problem in the recording, when the source is damaged or cannot
 * know that. One thread.
 */
#ifndef HEAPLINE_VIEWER_HISTORY_COUNTER_SOURCE_H
#define HEAPLINE_VIEWER_HISTORY_COUNTER_SOURCE_H

#include <stdbool.h>
#include <stdint.h>

#include "lifetime.h"
#include "viewer/history/moment.h"
#include "viewer/history/replay.h"
#include "viewer/recording/counters.h"
#include "viewer/recording/recording.h"

struct counter_source {
    /* Every counter's row; as counters_visit(). */
    bool (*visit)(struct recording *recording, size_t process, counters_visitor *visitor,
                  void *context);

    /* The position that stands for a moment, the peak being the process's own; that which stands
     * for so many events. Either is the last one up to there at which the source can tell what was
     * held. */
    bool (*position)(struct recording *recording, size_t process, const struct moment *moment,
                     struct position *position);
    bool (*position_after)(struct recording *recording, size_t process, uint64_t events,
                           struct position *position);

    /* What each counter held after so many events, which are those of a position; what happened to
     * it between two, `from` not after `to`. By counter, process->counter_count of them; the caller
     * frees the array, also after a failure. */
    bool (*held_at)(struct recording *recording, size_t process, uint64_t events,
                    struct held **held);
    bool (*between)(struct recording *recording, size_t process, uint64_t from, uint64_t to,
                    struct happened **happened);

    /* Of the whole life of the process, likewise by counter: what was freed before its thread's
     * n-th next allocation, and how long blocks lived that were freed. */
    bool (*temporary)(struct recording *recording, size_t process, uint32_t n,
                      struct held **temporary);
    bool (*lifetimes)(struct recording *recording, size_t process, struct lifetimes **lifetimes);
};

/* The source of this recording's counters. */
const struct counter_source *counter_source_of(const struct recording *recording);

/* Adds up what a process's own counters hold, without what was inherited and what is apart
 * (allocators.h); `held` is by counter.
 * False as above. */
bool counters_sum_own(struct recording *recording, size_t process, const struct held *held,
                      struct held *sum);

#endif
