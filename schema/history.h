/*
 * The history: every allocation and free of a process, in order, in chunks that can be read alone.
 *
 * The n-th allocation of a process is its block n (from 0; a forked one counts on from its
 * parent's, so that what it inherits has the numbers below its first one); every block lives in one
 * of the process's counters (counter_row of chunk.h). A chunk covers at most HISTORY_EVENTS_MAX
 * events. Its row in the table says which: the number of the first event, how many there are, the
 * number of the first block allocated in it, and the times of its first and last event. Three
 * frames (packing.h) of varints (varint.h) hold the rest, so that what a whole chunk has changed,
 * and when its blocks were allocated, is known from the first one alone, and how long blocks lived
 * from the last one.
 *
 *   summary  number of pairs; number of exceptions; number of time marks; then
 *            each pair: zigzag(counter - counter of the pair before); size; blocks allocated in
 *            the chunk; zigzag(blocks freed in it - blocks restored in it)
 *            each exception: zigzag(distance - distance of the exception before), where distance
 *            is the chunk's first block minus the block; pair << 1 | restored
 *            each mark: events, blocks and microseconds since the mark before (since the chunk's
 *            first event and block and the run's start); the time holds for the events from there
 * on events   each event: pair << 1 when that pair's next block is allocated; blocks back << 1 | 1
 *            when a block allocated in this chunk is freed (1: the newest); 1 for the next
 *            exception: a block from before this chunk is freed, or a block is restored: because
 *            the realloc that had freed it has failed, or, right after its free, because only a
 *            part of it was unmapped. It then belongs to the exception's pair, of the same counter,
 *            whose size is what is left of it.
 *            Before, between and behind them, HISTORY_ESCAPE: what is no event of memory and not
 *            counted among the chunk's; then its kind, the number of its bytes, and those. Who does
 *            not know the kind skips it and counts it; no kind is known yet
 *   lifetimes  each pair: a mask of the classes (lifetime.h) that blocks freed in the chunk belong
 *            to, by age from bit 0 on, by time from bit 8 on; then for each of them
 *            zigzag(blocks freed - blocks restored)
 *
 * Pairs are numbered in order of appearance. Every chunk has a mark at event 0.
 *
 * One thread at a time for each struct; no global state.
 */
#ifndef HEAPLINE_SCHEMA_HISTORY_H
#define HEAPLINE_SCHEMA_HISTORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lifetime.h"
#include "packing.h"

#define HISTORY_EVENTS_MAX 65536u
#define HISTORY_MARKS_MAX  8192u
#define HISTORY_SIZE_MAX   (UINT64_C(1) << 48)
/* More blocks back than a chunk has. */
#define HISTORY_ESCAPE ((UINT64_C(1) * HISTORY_EVENTS_MAX) << 1 | 1)

/* Which events a chunk covers: what its row in the table says. */
struct history_span {
    uint64_t first_event;
    uint32_t events;
    uint64_t first_block;
    uint64_t started_us; /* of the first event, since the run's start */
    uint64_t ended_us;   /* of the last one */
};

/* Blocks of one size in one counter, within a chunk. */
struct history_pair {
    uint64_t size;
    uint32_t counter;
    uint32_t allocations;
    int32_t frees; /* less those taken back */
};

/* From here on the clock showed this time. Counted from the chunk's first event and block. */
struct history_mark {
    uint32_t event, block;
    uint64_t time_us;
};

enum history_kind {
    HISTORY_ALLOCATION,
    HISTORY_FREE,
    HISTORY_RESTORE,
};

struct history_event {
    enum history_kind kind;
    uint64_t block;
    const struct history_pair *pair;
    uint64_t time_us;
};

/* Gives back the events of one chunk after another. */
struct history_reader {
    struct history_span span;
    struct history_pair *pairs;
    uint32_t pair_count;
    struct history_exception *exceptions;
    uint32_t exception_count;
    struct history_mark *marks;
    uint32_t mark_count;
    /* The state of the iteration. */
    uint32_t event, allocations, exception;
    uint32_t mark;       /* the one to come */
    uint32_t mark_event; /* when; UINT32_MAX: none is to come */
    uint64_t time_us;
    uint32_t *pair_of; /* by block of the chunk */
    const uint8_t *at, *end;
    uint64_t skipped; /* of kinds that are not known, in all chunks that have been read */
    struct unpacker unpacker;
};

bool history_reader_init(struct history_reader *reader);
void history_reader_deinit(struct history_reader *reader);

/* Reads a chunk's summary. Counters must be in 1..`counters`. False: damaged or no memory. */
bool history_reader_open(struct history_reader *reader, const struct history_span *span,
                         uint32_t counters, const void *summary, size_t size);

/* The blocks from before the chunk that it frees (or restores, then `restored`), without its
 * events. `number` is below exception_count. */
const struct history_pair *history_exception(const struct history_reader *reader, uint32_t number,
                                             uint64_t *block, bool *restored);

/* Adds how long the blocks lived that the open chunk frees, by counter from 0. False: damaged. */
bool history_read_lifetimes(struct history_reader *reader, const void *data, size_t size,
                            struct lifetimes *by_counter);

/* Begins with the events of the open chunk. False: damaged or no memory. */
bool history_reader_begin(struct history_reader *reader, const void *events, size_t size);

enum history_step {
    HISTORY_EVENT,
    HISTORY_END,
    HISTORY_DAMAGED,
};

/* The next event. At the end everything that the chunk announced has been found. */
enum history_step history_next(struct history_reader *reader, struct history_event *event);

#endif
