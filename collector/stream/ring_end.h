/*
 * The collector's end of a process's ring: where its words come from, and how far they are read.
 *
 * States: open; stopped or closed (the reader's page says so to the writers); deinitialized, after
 * which there are no pages. Without a stream the process may write anything, at any time, into the
 * page of the writers and the words: each value is looked at once, and what it is then is checked.
 * With a stream (stream_reader.h) the ring is the collector's own memory. One thread.
 */
#ifndef HEAPLINE_COLLECTOR_RING_END_H
#define HEAPLINE_COLLECTOR_RING_END_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "collector/peer/arrival.h"
#include "collector/stream/stream_reader.h"
#include "ring.h"

struct ring_end {
    struct ring_reader_page *reader;
    struct ring_writers_page *writers;
    _Atomic uint64_t *words;
    void *memory; /* all of it */
    size_t bytes;
    unsigned log2_words;
    uint64_t mask;     /* of a position: where in `words` */
    uint64_t position; /* words read */
    uint64_t cut;      /* where the latest cut through all streams goes (drain.h) */
    uint64_t
        stuck_since_ns;  /* when the next word was found reserved but not published; 0: is not */
    uint64_t stuck_head; /* head at that time */
    uint64_t waited_for; /* holes before this position have had their time */
    bool roused;         /* somebody has ended the reader's last sleep */
    struct stream_reader *stream;  /* fills the ring; null where the process does */
    enum welcome_verdict farewell; /* what a stream is told at the end */
    uint64_t clock_offset;         /* to be added to its clock, modulo 2^64 */
};

struct ring_plan {
    unsigned log2_words;
    uint32_t overflow; /* enum ring_overflow */
    uint64_t patience_ns;
};

/* Can a ring be shared so that the program cannot write the reader's page? Linux can from 5.1 on;
 * what imitates it may not, and streams are left then. */
bool ring_can_be_shared(void);

/* Makes a fresh ring of zeroed memory; its descriptors are the caller's to close. With a stream
 * there are none (-1), and the arrival's connection is taken over. False when memory or descriptors
 * are short; ring_end_deinit() in any case. */
bool ring_end_init(struct ring_end *ring, const struct arrival *arrival,
                   const struct ring_plan *plan, int parts[RING_PARTS]);
/* Tells the writers that nothing more is read, unless they have been told otherwise, and closes.
 * Once more does nothing. */
void ring_end_deinit(struct ring_end *ring);

/* Closes what is open of them, and sets it to -1. */
void ring_close_parts(int parts[RING_PARTS]);

/* Reads what the process's stream has, when it has one; words that are new in its ring. */
uint64_t ring_end_receive(struct ring_end *ring, uint64_t words);
/* Words of a stream that are still read at its end, or of an old connection when there is a new
 * one: more than all sockets on the way hold, and what is read in a moment. How much is under way
 * cannot be asked: over TCP what the sender's kernel holds comes only once there is room for it. */
#define STREAM_REST_WORDS (UINT64_C(1) << 24)

/* Has its stream gone? False without one. */
static inline bool ring_end_is_gone(const struct ring_end *ring)
{
    return ring->stream && ring->stream->gone_ns;
}

/* Events that its writers say they have dropped, believed only so far that they can be added up; 0
 * without a ring. */
static inline uint64_t ring_end_dropped(const struct ring_end *ring)
{
    uint64_t most = UINT64_C(1) << 40;
    uint64_t dropped = ring->writers ? atomic_load(&ring->writers->dropped) : 0;
    return dropped < most ? dropped : most;
}

#endif
