/*
 * The shared page and the ring behind it: how a traced process and its collector on the same host
 * pass the words of wire.h.
 *
 * The collector makes a memfd of ring_bytes(), fills the control page and passes the descriptor in
 * its answer to the hello. Writers (any thread of the target, also inside signal handlers)
 * reserve words by moving `head` with compare-and-swap, and only after they have seen that
 * `tail` leaves room. The one reader moves `tail` behind it.
 *
 * Each side trusts only what it wrote itself: the reader takes neither positions nor lengths from
 * the page without checking them, and the writer never follows a value from it.
 */
#ifndef HEAPLINE_SCHEMA_RING_H
#define HEAPLINE_SCHEMA_RING_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#define RING_MAGIC          UINT32_C(0x48504c52) /* "RLPH" */
#define RING_CONTROL_BYTES  4096u
#define RING_LOG2_WORDS_MIN 12u
#define RING_LOG2_WORDS_MAX 20u

enum ring_overflow {
    RING_OVERFLOW_BLOCK = 0, /* a writer waits for room, for a bounded time */
    RING_OVERFLOW_DROP = 1,  /* a record that finds no room is dropped and counted */
};

/* In ring_control.state, set by the collector. */
enum ring_state {
    RING_OPEN = 0,
    RING_CLOSED = 1,  /* the collector wants no more: the target runs on untraced */
    RING_STOPPED = 2, /* the same, because a limit of the daemon is reached */
};

/* The owner's robust mutex word of glibc and the kernel: set when its holder died. */
#define RING_OWNER_DIED UINT32_C(0x40000000)

struct ring_control {
    /* Set by the collector before the descriptor is passed, constant afterwards. */
    uint32_t magic;
    uint32_t log2_words;
    uint32_t overflow; /* enum ring_overflow */
    uint32_t reserved;
    uint64_t patience_ns; /* how long a writer waits for a reader that does not move */

    /* Writers only: words reserved so far; records dropped for want of room so far; 1 once they
     * have given up on a silent reader. */
    _Alignas(64) _Atomic uint64_t head;
    _Atomic uint64_t dropped;
    _Atomic uint32_t abandoned;

    /* Words read so far. Reader only. */
    _Alignas(64) _Atomic uint64_t tail;

    /* Reader to writers; one line, seldom written. */
    _Alignas(64) _Atomic uint32_t clock; /* moves at least every few ms while words arrive */
    _Atomic uint32_t state;              /* enum ring_state */

    /* Sleeping and waking. `reader_sleeps` is a futex that holds 1 while the reader sleeps and
     * wants to be woken; `progress` is a futex that the reader moves when it wakes writers. */
    _Alignas(64) _Atomic uint32_t reader_sleeps;
    _Atomic uint32_t writers_wait; /* how many; in a stream's private ring: whether any do */
    _Atomic uint32_t progress;

    /* A process-shared robust pthread_mutex_t that the collector holds while it lives. Writers
     * look only at its first word, for RING_OWNER_DIED. */
    _Alignas(64) unsigned char owner[64];
};
_Static_assert(sizeof(struct ring_control) <= RING_CONTROL_BYTES, "the control page is one page");

static inline size_t ring_bytes(unsigned log2_words)
{
    return RING_CONTROL_BYTES + (sizeof(uint64_t) << log2_words);
}

#endif
