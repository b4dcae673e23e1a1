/*
 * What is counted of one process: its live heap and mappings, its counters and sums, and how they
 * came to be (history or slices, samples, the end of its program). How it is counted stands with
 * those who do: decode.h, mapping_events.h, inheritance.h, run_peak.h, slices.h, program_end.h.
 *
 * The sums are those of the counters, whatever is in the stream; what could not be counted is in
 * `damaged` and `unmatched_frees`. One thread.
 */
#ifndef HEAPLINE_COLLECTOR_BOOK_H
#define HEAPLINE_COLLECTOR_BOOK_H

#include <stdbool.h>
#include <stdint.h>

#include "collector/base/vector.h"
#include "collector/book/counters.h"
#include "collector/book/history_queue.h"
#include "collector/book/ledger.h"
#include "collector/book/live_heap.h"
#include "collector/book/mappings.h"
#include "collector/book/presence.h"
#include "collector/book/recent_counters.h"
#include "collector/book/samples.h"
#include "collector/book/surveys.h"
#include "collector/book/thread_rows.h"
#include "collector/peer/peer.h"
#include "damage.h"

struct estate;

/* Where no history is kept (slices.h). */
struct slices {
    struct vector base; /* struct slice_base, by counter */
    uint64_t interval_ns;
    uint64_t next_ns;    /* CLOCK_MONOTONIC */
    uint64_t last_event; /* number of events at the end of the last slice */
    uint32_t taken;      /* since the last widening */
};

/* Where a process stood at the run's peak of this epoch (run_peak.h). */
struct peak_position {
    uint64_t epoch;
    uint64_t events; /* that it had had */
    uint64_t bytes, blocks;
    uint32_t process; /* process.id in the recording */
    bool lived;       /* false: it came later */
};

/* Of both peaks. */
struct peak_positions {
    struct peak_position peak, touched;
};

/* The composition of the heap at the end of the program's own code (program_end.h). */
struct end_entry {
    uint32_t counter;
    uint32_t blocks;
    uint64_t bytes;
};

struct program_end {
    bool seen;
    uint32_t noted; /* times */
    double time;    /* seconds from the run's start */
    uint64_t bytes, blocks, events;
    struct vector entries; /* struct end_entry */
    uint32_t count;
};

/* Allocations that failed. */
struct refusals {
    uint64_t count, most; /* the largest in bytes */
    uint32_t location;    /* where that was asked for; 0: not known */
};

/* What the recording has of the counters (store/recording_counters.h). */
struct recorded {
    struct hash_seed seed;
    struct vector chunks, lines; /* uint64_t: what they were when they were written; 0: never */
    uint64_t touched_epoch;      /* of the sums, when that peak was written */
    bool touched_is_peak;
};

struct book {
    const struct peer *peer;  /* whose it is */
    struct live_heap heap;    /* what was allocated */
    struct mappings mappings; /* what was mapped */
    struct presence presence; /* what of large ones is untouched */
    struct surveys surveys;   /* what its resident memory was made of */
    struct counters counters;
    struct recent_counters recent;
    struct heap_sums sums;
    double now;            /* of the latest TIME record, seconds from the run's start */
    uint64_t blocks_made;  /* the number of the next block */
    uint64_t first_block;  /* number of its own first one; what it inherits has smaller ones */
    uint64_t wanted_below; /* blocks with smaller numbers are buried when they die */
    struct estate *estate; /* inheritance.h; null: nobody inherits */
    struct vector latest;  /* uint64_t by thread.id: the thread's latest block's number + 1 */
    struct history_queue history;
    struct samples samples;
    struct slices slices;
    struct thread_rows threads;
    struct program_end end;
    struct refusals refusals;
    struct recorded recorded;
    struct peak_positions positions;
    bool has_left; /* it is no part of the run's sum any more */
    uint64_t unmatched_frees;
    uint64_t damaged[DAMAGE_COUNT]; /* what could not be counted, by why */
};

/* Zeroed memory becomes the book of `peer`, which must outlive it. False: no memory; book_deinit()
 * in any case. */
bool book_init(struct book *book, const struct peer *peer, bool keeps_history);
/* Nothing more will be counted: frees what is not needed for writing it, nor, if `is_shared`, by
 * those who inherit. */
void book_close(struct book *book, bool is_shared);
/* After inheritance_leave(). */
void book_deinit(struct book *book);

static inline void book_damage(struct book *book, enum damage reason)
{
    book->damaged[reason]++;
}

/* Ends the chunk of history at hand (history_queue.h). */
void book_finish_chunk(struct ledger *ledger, struct book *book);

/* The process's next block, born now. The caller adds it to the heap and then counts it in
 * blocks_made. */
static inline struct block book_next_block(const struct book *book, uint64_t address, uint64_t size,
                                           uint32_t counter)
{
    return block_of(address, size, counter, book->blocks_made, book->history.writer.now_ms);
}

/* Has the thread (of the run) that allocated the block with this number allocated nothing since? */
static inline bool book_is_latest(const struct book *book, uint32_t thread, uint64_t number)
{
    const uint64_t *latest = book->latest.data;
    return (thread + 1) * sizeof *latest <= book->latest.bytes && latest[thread] == number + 1;
}

/* Has the thread allocated a block with this number or a larger one? */
static inline bool book_has_made(const struct book *book, uint32_t thread, uint64_t number)
{
    const uint64_t *latest = book->latest.data;
    return (thread + 1) * sizeof *latest <= book->latest.bytes && latest[thread] > number;
}

static inline void book_note_latest(struct ledger *ledger, struct book *book, uint32_t thread,
                                    uint64_t number)
{
    if (vector_reserve(&book->latest, (size_t)thread + 1, sizeof(uint64_t)))
        ((uint64_t *)book->latest.data)[thread] = number + 1;
    else
        NOTE_HERE(&ledger->memory_short);
}

/* Before an event is counted: makes sure that the history, if there is one, has room for it. */
static inline bool book_keeps_history(struct ledger *ledger, struct book *book)
{
    const struct history_queue *history = &book->history;
    if (__builtin_expect(history->kept && history_writer_is_full(&history->writer), 0))
        book_finish_chunk(ledger, book);
    return history->kept;
}

#endif
