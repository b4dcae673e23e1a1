/*
 * The writing side of the ring (schema/ring.h). Any thread, also in signal handlers. With the
 * stream carrier the ring is a private one, which the writers themselves empty (carrier.h).
 *
 * A record is: ring_reserve(), ring_put() of its continuation words, ring_publish() of its first
 * word. Between reserve and publish a writer does nothing else, so that holes stay rare. A writer
 * that is left by a jump cannot publish; whoever finds that out fills what it had reserved
 * (hook_call.c). So each thread notes what it is about to reserve before it does. Had the jump come
 * before, the position may be another thread's: but then that one has noted it too.
 *
 * ring_reserve() fails when the record is dropped (--overflow=drop, counted) or when the collector
 * is gone or silent for too long: then the gate is shut and the program runs on untraced.
 *
 * A writer that had been taken for gone may come back: a context that had been left, a thread that
 * was not scheduled for so long that the reader went on without it. Its words may be others' by
 * then. Once there may be such writers the gate is watched, and whoever finds that his words are
 * filled or read already counts the record as dropped; all stacks and codes are then told anew.
 *
 * The child of a plain clone() has the ring still mapped, but the gate's page is wiped: a hook that
 * the clone interrupted asks once more before it reserves, and before it publishes.
 */
#ifndef HEAPLINE_PRELOAD_RING_WRITER_H
#define HEAPLINE_PRELOAD_RING_WRITER_H

#include <sys/single_threaded.h>

#include "assertion.h"
#include "preload/arch/processor.h"
#include "preload/base/shim.h"
#include "preload/carrier/carrier.h"
#include "ring.h"
#include "wire.h"

struct ring_writer {
    const struct ring_reader_page *reader;
    struct ring_writers_page *writers;
    _Atomic uint64_t *words;
    uint64_t mask;
    unsigned log2_words;
    bool drops;                    /* --overflow=drop */
    const struct carrier *carrier; /* null before the process has attached */
    /* Positions up to here may be reserved without looking at the reader. */
    _Atomic uint64_t limit;
    /* The value of reader->clock for which a TIME record has been sent. */
    _Atomic uint32_t clock_sent;
    /* How often records were lost without their writer's knowledge, and the reader's part of it. */
    _Atomic uint32_t lost, skips;
};
extern struct ring_writer ring_writer;

/* Takes over a mapped ring, whose writers' memory has so many bytes and which that carrier empties;
 * false when it is not sound. */
bool ring_writer_init(const struct carrier *carrier, const struct ring_reader_page *reader,
                      struct ring_writers_page *writers, size_t bytes);

/* What a thread is about to reserve or has reserved last: position << RING_NOTE_SHIFT | words; 0:
 * nothing. Never unmapped: other threads look at it. */
struct ring_note {
    _Atomic uint64_t reserved;
    _Atomic bool is_free; /* its thread has ended */
    struct ring_note *next;
};
#define RING_NOTE_SHIFT 16

/* Called, once it is set, between two events when `lost` has moved: what was told of code may be
 * lost. */
extern void (*ring_has_lost)(void);

/* Called, once it is set, in each thread that gets a note, so that it gives it back at its end. */
extern void (*ring_note_taken)(void);

/* Makes the calling thread's note. Without memory it is one that nobody looks at. */
struct ring_note *ring_note_take(void);

/* The calling thread ends. */
void ring_note_give_back(void);

/* In a forked child: the other threads are no more. */
void ring_notes_forget(void);

static inline uint64_t ring_noted(void)
{
    const struct ring_note *note = shim_thread.note;
    return note ? atomic_load_explicit(&note->reserved, memory_order_relaxed) : 0;
}

static inline void ring_note(uint64_t reserved)
{
    struct ring_note *note = shim_thread.note;
    if (SHIM_UNLIKELY(!note))
        note = ring_note_take();
    atomic_store_explicit(&note->reserved, reserved, memory_order_relaxed);
}

/* Fills what a writer of this thread had noted, if it has reserved and not published it. Not in a
 * signal handler of its own: signals are blocked. */
void ring_close(uint64_t noted);

/* In a forked child: no more to do with the parent's ring. `covers`: a hook was interrupted that
 * will go on in it; else it is unmapped. */
void ring_writer_leave(bool covers);

/* In a forked child, before anything else of the ring. */
static inline void ring_forget_connection(void)
{
    const struct carrier *carrier = ring_writer.carrier;
    if (carrier && carrier->forget)
        carrier->forget();
}

/* Does what is published still have to be sent, with system calls? */
static inline bool ring_is_sent(void)
{
    return ring_writer.carrier && ring_writer.carrier->flush;
}

/* Before the process goes, or executes another program (carrier.h). */
static inline void ring_flush(void)
{
    if (ring_is_sent())
        ring_writer.carrier->flush();
}

/* What is published is read, if the reader is not too slow; `settle` of carrier.h. */
static inline void ring_settle(void)
{
    if (ring_writer.carrier && ring_writer.carrier->settle)
        ring_writer.carrier->settle();
}

/* A record is lost, and the reader is told. */
void ring_count_dropped(void);

/* CLOCK_MONOTONIC in ns, also where the program has given up system calls. Keeps errno. */
uint64_t ring_monotonic_ns(void);

/* Sends a TIME record. */
void ring_send_time(void);

/* The reader's clock is not that of the last TIME record. */
void ring_follow_clock(uint32_t clock);

/* What is said when the daemon wants no more. */
#define RING_LIMIT                                                                                 \
    "the collector has reached a limit, heapline run or the log says which; the program goes on "  \
    "untraced"

/* And when the collector says nothing for too long. */
#define RING_SILENCE "the collector does not answer; the program goes on untraced"

/* How long a writer has waited without any progress. Begins as {0}. */
struct ring_patience {
    uint64_t tail;
    uint64_t looked_ns, waited_ns;
};

/* Asked in turn with short waits; true when the tail has stayed where it is for `limit_ns`. The
 * time while the process itself was stopped, or in which its clock was set, does not count. */
bool ring_patience_ends(struct ring_patience *patience, uint64_t tail, uint64_t limit_ns);

/* Shuts the gate once, and says why, unless that is no trouble (null). */
void ring_give_up(const char *reason);

/*
 * Moves the head from *seen to `wanted`; false, with the head in *seen, when it has moved. While
 * the process has a single thread only a signal handler can come between, and need not be kept out
 * as other threads must be. glibc clears __libc_single_threaded before it makes a thread.
 */
static inline bool ring_move_head(_Atomic uint64_t *head, uint64_t *seen, uint64_t wanted)
{
    if (SHIM_LIKELY(__libc_single_threaded))
        return processor_replace_alone(head, seen, wanted);
    return atomic_compare_exchange_weak_explicit(head, seen, wanted, memory_order_acquire,
                                                 memory_order_relaxed);
}

/* The longest record is a fragment, and the smallest ring has room for it. */
#define RING_RECORD_WORDS_MAX (1 + WIRE_FRAGMENT_MAX / WIRE_BYTES_PER_WORD)
_Static_assert(RING_RECORD_WORDS_MAX <= 1u << RING_LOG2_WORDS_MIN, "a record fits into a ring");
/* Levels of a stack are told so many at once. */
#define RING_RECORD_LEVELS_MAX 256u

/* How many words before the head lines are fetched. */
#define RING_FETCH_AHEAD 64u

/* ring_reserve() where it is not done at once: the thread has no note yet, there is no room known,
 * another writer was quicker. */
bool ring_reserve_slowly(unsigned count, uint64_t *position);

/* The lines ahead were last touched by the reader's core: fetches them before they are needed. */
static inline void ring_fetch_ahead(const struct ring_writer *ring, uint64_t head)
{
    processor_fetch_for_writing(&ring->words[(head + RING_FETCH_AHEAD) & ring->mask]);
}

/* Reserves `count` words; false: this record is not to be sent. */
static inline __attribute__((always_inline)) bool ring_reserve(unsigned count, uint64_t *position)
{
    struct ring_writer *ring = &ring_writer;
    struct ring_note *note = shim_thread.note;
    _Atomic uint64_t *shared = &ring->writers->head;
    uint64_t head = atomic_load_explicit(shared, memory_order_relaxed);
    ASSERT(count > 0 && count <= RING_RECORD_WORDS_MAX);
    if (SHIM_UNLIKELY(!note ||
                      head + count > atomic_load_explicit(&ring->limit, memory_order_relaxed)))
        return ring_reserve_slowly(count, position);
    atomic_store_explicit(&note->reserved, head << RING_NOTE_SHIFT | count, memory_order_relaxed);
    if (SHIM_UNLIKELY(!shim_gate_open()))
        return false;
    if (SHIM_UNLIKELY(!ring_move_head(shared, &head, head + count)))
        return ring_reserve_slowly(count, position);
    ring_fetch_ahead(ring, head);
    *position = head;
    return true;
}

/* Is the word still the writer's who has reserved it? */
bool ring_is_mine(uint64_t position);

static inline bool ring_may_write(uint64_t position)
{
    uint32_t gate = atomic_load_explicit(&shim_gate.open, memory_order_relaxed);
    return SHIM_LIKELY(gate == SHIM_GATE_OPEN) || (gate && ring_is_mine(position));
}

static inline void ring_put(uint64_t position, uint64_t payload)
{
    struct ring_writer *ring = &ring_writer;
    ASSERT(!(payload & (WIRE_LAP_BIT | WIRE_FIRST_BIT)));
    if (SHIM_UNLIKELY(!ring_may_write(position)))
        return;
    atomic_store_explicit(&ring->words[position & ring->mask],
                          payload | wire_lap_bit(position, ring->log2_words), memory_order_relaxed);
}

/* The record could not be published. */
__attribute__((cold)) void ring_note_loss(void);

static inline void ring_publish(uint64_t position, uint64_t first)
{
    struct ring_writer *ring = &ring_writer;
    ASSERT((first & (WIRE_LAP_BIT | WIRE_FIRST_BIT)) == WIRE_FIRST_BIT);
    if (SHIM_UNLIKELY(!ring_may_write(position))) {
        ring_note_loss();
        return;
    }
    atomic_store_explicit(&ring->words[position & ring->mask],
                          first | wire_lap_bit(position, ring->log2_words), memory_order_release);
}

/* ring_put() and ring_publish() of a record of two words, which most often lie beside each other.
 */
static inline void ring_publish_both(uint64_t position, uint64_t first, uint64_t second)
{
    struct ring_writer *ring = &ring_writer;
    uint64_t at = position & ring->mask;
    if (SHIM_UNLIKELY(at == ring->mask || !ring_may_write(position))) {
        ring_put(position + 1, second);
        ring_publish(position, first);
        return;
    }
    ASSERT((first & (WIRE_LAP_BIT | WIRE_FIRST_BIT)) == WIRE_FIRST_BIT);
    ASSERT(!(second & (WIRE_LAP_BIT | WIRE_FIRST_BIT)));
    uint64_t lap = wire_lap_bit(position, ring->log2_words);
    atomic_store_explicit(&ring->words[at + 1], second | lap, memory_order_relaxed);
    atomic_store_explicit(&ring->words[at], first | lap, memory_order_release);
}

static inline bool ring_is_published(uint64_t position)
{
    const struct ring_writer *ring = &ring_writer;
    uint64_t word = atomic_load_explicit(&ring->words[position & ring->mask], memory_order_relaxed);
    return !((word ^ wire_lap_bit(position, ring->log2_words)) & WIRE_LAP_BIT);
}

/* Sends a TIME record when the reader's clock has moved since the last one. */
static inline void ring_tick(void)
{
    struct ring_writer *ring = &ring_writer;
    uint32_t clock = atomic_load_explicit(&ring->reader->clock, memory_order_relaxed);
    if (SHIM_UNLIKELY(clock != atomic_load_explicit(&ring->clock_sent, memory_order_relaxed)))
        ring_follow_clock(clock);
}

/* A record of one word. */
static inline bool ring_send_word(uint64_t first)
{
    uint64_t position;
    if (!ring_reserve(1, &position))
        return false;
    ring_publish(position, first);
    return true;
}

static inline bool ring_send_mark(enum wire_mark mark, uint64_t value)
{
    return ring_send_word(wire_first(WIRE_MARK) | (uint64_t)mark << WIRE_MARK_SHIFT | value);
}

#endif
