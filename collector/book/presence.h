/*
 * What is kept of what large blocks have in memory (touched.h).
 *
 *   range     a large block, or a part of a large mapping, with what of it is untouched
 *   emptied   a part of a mapping whose memory was given back (madvise()): it is no longer held,
 * and comes back as it is found in memory
 *
 * Between two looks a block may have been touched earlier than is known. By how much the peak may
 * be higher for that is known once the next look is done, and kept (`most_possible`).
 *
 * Where nobody can look from outside the process is *hidden*: everything counts as touched.
 * One thread.
 */
#ifndef HEAPLINE_COLLECTOR_PRESENCE_H
#define HEAPLINE_COLLECTOR_PRESENCE_H

#include <stdbool.h>
#include <stdint.h>

#include "collector/base/index.h"
#include "collector/base/vector.h"
#include "collector/book/mappings.h"

#define PRESENCE_UNKNOWN UINT64_MAX

/* What the large blocks of a counter have untouched. */
struct untouched {
    uint32_t counter;
    uint32_t marks;   /* of heap_sums.touched_share.epoch: when at_mark was set */
    uint64_t bytes;   /* now */
    uint64_t at_peak; /* at the process's peak of what is touched, if `epoch` is not before it */
    uint64_t epoch;   /* of the sums */
    uint64_t at_mark; /* where it stood at the run's */
};

struct presence {
    /* Each mapping has one range; its `bytes` are those that are untouched, or that are missing. */
    struct mappings ranges, emptied;
    struct vector counters; /* struct untouched; number 0 is not used */
    struct index by_counter;
    uint32_t counter_count;
    uint64_t next_ns; /* CLOCK_MONOTONIC: of the next look */
    uint64_t resume;  /* the address at which it goes on */
    bool in_emptied;  /* among which of the two */
    uint64_t found;   /* bytes, since the last whole look */
    int64_t most;     /* that was known to be touched since then, less what had been found before */
    uint64_t most_possible; /* that can have been touched at any time */
    uint64_t largest;       /* bytes of a block that were untouched when it went */
    uint32_t largest_counter;
    bool is_hidden;
};

void presence_deinit(struct presence *presence);

#endif
