/*
 * The ring: how a traced process and its collector on the same host pass the words of wire.h.
 *
 * The collector makes two memfds and passes both in its answer to the hello, for a seal is always a
 * whole memfd's:
 *   the reader's page     what the collector alone writes. It has mapped it before it sealed it
 *                         against writing; the program can map it to read, and no other way. A
 *                         futex can be waited on there all the same.
 *   the writers' memory   what the program writes at will, its threads and whatever else runs in
 *                         it: a page of positions and counts, and the words behind it.
 *
 * Writers (any thread of the target, also inside signal handlers) reserve words by moving `head`
 * with compare-and-swap, and only after they have seen that `tail` leaves room. The one reader
 * moves `tail` behind it.
 *
 * Each side trusts only what it wrote itself. The reader looks at each value of the writers' memory
 * once, checks what it has then, follows no pointer and takes no lock that lies there, and goes
 * nowhere for longer than the ring is large. The writer never follows a value from the reader's
 * page. Neither page holds an address.
 *
 * The private rings of a stream (handshake.h) are laid out the same way, in memory of one process.
 */
#ifndef HEAPLINE_SCHEMA_RING_H
#define HEAPLINE_SCHEMA_RING_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#define RING_MAGIC          UINT32_C(0x48504c52) /* "RLPH" */
#define RING_PAGE_BYTES     4096u
#define RING_LOG2_WORDS_MIN 12u
#define RING_LOG2_WORDS_MAX 20u

enum ring_overflow {
    RING_OVERFLOW_BLOCK = 0, /* a writer waits for room, for a bounded time */
    RING_OVERFLOW_DROP = 1,  /* a record that finds no room is dropped and counted */
};

/* In ring_reader_page.state. */
enum ring_state {
    RING_OPEN = 0,
    RING_CLOSED = 1,  /* the collector wants no more: the target runs on untraced */
    RING_STOPPED = 2, /* the same, because a limit of the daemon is reached */
};

/* Set by the kernel in `owner` when the collector has died: the word is in its list of robust
 * futexes. */
#define RING_OWNER_DIED UINT32_C(0x40000000)

/* The program has it read-only. */
struct ring_reader_page {
    /* Set before the descriptor is passed, constant afterwards. */
    uint32_t magic;
    uint32_t log2_words;
    uint32_t overflow; /* enum ring_overflow */
    uint32_t reserved;
    uint64_t patience_ns; /* how long a writer waits for a reader that does not move */

    /* The thread id of the collector while it lives, or RING_OWNER_DIED; 0: has let go. */
    _Atomic uint32_t owner;

    /* Words read so far. */
    _Alignas(64) _Atomic uint64_t tail;

    /* One line, seldom written. */
    _Alignas(64) _Atomic uint32_t clock; /* moves at least every few ms while words arrive */
    _Atomic uint32_t state;              /* enum ring_state */
    _Atomic uint32_t skips; /* how often words were passed over that nobody had published */

    /* A futex that the reader moves when it wakes writers. */
    _Alignas(64) _Atomic uint32_t progress;
};
_Static_assert(sizeof(struct ring_reader_page) <= RING_PAGE_BYTES, "the reader's page is one page");

/* At the beginning of the writers' memory; the words stand RING_PAGE_BYTES behind it. */
struct ring_writers_page {
    /* Words reserved so far; records dropped for want of room so far; 1 once the writers have given
     * up on a silent reader. */
    _Alignas(64) _Atomic uint64_t head;
    _Atomic uint64_t dropped;
    _Atomic uint32_t abandoned;

    /* `reader_sleeps` is a futex that holds 1 while the reader sleeps and wants to be woken. The
     * reader writes it, but believes nothing that it reads there. */
    _Alignas(64) _Atomic uint32_t reader_sleeps;
    _Atomic uint32_t writers_wait; /* how many; in a stream's private ring: whether any do */
};
_Static_assert(sizeof(struct ring_writers_page) <= RING_PAGE_BYTES, "one page, then the words");

/* Bytes of the writers' memory. */
static inline size_t ring_writers_bytes(unsigned log2_words)
{
    return RING_PAGE_BYTES + (sizeof(uint64_t) << log2_words);
}

/* Of a position: where in the words. */
static inline uint64_t ring_mask(unsigned log2_words)
{
    return (UINT64_C(1) << log2_words) - 1;
}

static inline _Atomic uint64_t *ring_words(struct ring_writers_page *writers)
{
    return (_Atomic uint64_t *)((char *)writers + RING_PAGE_BYTES);
}

#endif
