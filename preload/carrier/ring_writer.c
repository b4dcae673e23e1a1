/*
 * The ring's slow path, and what is true of it whichever carrier empties it (carrier.h).
 *
 * `limit` is never far beyond the head, so that every writer comes by the carrier regularly. When
 * writers are lost, or the reader has gone on without one, that is noted here and followed by the
 * next event that looks.
 */
#include "preload/carrier/ring_writer.h"

#include <errno.h>
#include <sys/mman.h>
#include <time.h>

#include "preload/arch/processor.h"
#include "preload/base/complaint.h"
#include "preload/base/environment.h"
#include "preload/base/memory.h"
#include "preload/base/real_mapping.h"
#include "preload/base/signals.h"

struct ring_writer ring_writer;

/* More than a spell of waiting takes with any carrier, even on a busy machine. */
#define WAIT_COUNTED_NS UINT64_C(200000000)
/* For a thread that is between two instructions, or not scheduled for a moment. */
#define CLOSING_SPINS_MAX (1u << 16)

/* Without a system call, if need be: the vDSO's coarse clock does without the processor's counter
 * too, which strict mode takes away. */
uint64_t ring_monotonic_ns(void)
{
    int saved = errno;
    struct timespec now;
    clock_gettime(shim_is_sealed() ? CLOCK_MONOTONIC_COARSE : CLOCK_MONOTONIC, &now);
    errno = saved;
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

bool ring_writer_init(const struct carrier *carrier, const struct ring_reader_page *reader,
                      struct ring_writers_page *writers, size_t bytes)
{
    if (reader->magic != RING_MAGIC || reader->log2_words < RING_LOG2_WORDS_MIN ||
        reader->log2_words > RING_LOG2_WORDS_MAX || ring_writers_bytes(reader->log2_words) != bytes)
        return false;
    ring_writer.carrier = carrier;
    ring_writer.reader = reader;
    ring_writer.writers = writers;
    ring_writer.words = ring_words(writers);
    ring_writer.log2_words = reader->log2_words;
    ring_writer.mask = ring_mask(reader->log2_words);
    ring_writer.drops = reader->overflow == RING_OVERFLOW_DROP;
    atomic_store(&ring_writer.limit, 0);
    atomic_store(&ring_writer.clock_sent, ~atomic_load(&reader->clock));
    atomic_store(&ring_writer.skips, atomic_load(&reader->skips));
    return true;
}

void ring_give_up(const char *reason)
{
    if (!atomic_exchange(&shim_gate.open, 0))
        return;
    environment_forget();
    if (reason)
        complain(reason);
}

bool ring_patience_ends(struct ring_patience *patience, uint64_t tail, uint64_t limit_ns)
{
    uint64_t now = ring_monotonic_ns(), passed = now - patience->looked_ns;
    bool first = patience->looked_ns == 0;
    patience->looked_ns = now;
    if (first || tail != patience->tail)
        patience->waited_ns = 0;
    else
        patience->waited_ns += passed < WAIT_COUNTED_NS ? passed : WAIT_COUNTED_NS;
    patience->tail = tail;
    return patience->waited_ns > limit_ns;
}

bool ring_reserve_slowly(unsigned count, uint64_t *position)
{
    struct ring_writer *ring = &ring_writer;
    _Atomic uint64_t *shared = &ring->writers->head;
    uint64_t head = atomic_load_explicit(shared, memory_order_relaxed);
    do {
        while (head + count > atomic_load_explicit(&ring->limit, memory_order_relaxed)) {
            if (!ring->carrier->make_room(count))
                return false;
            head = atomic_load_explicit(shared, memory_order_relaxed);
        }
        ring_note(head << RING_NOTE_SHIFT | count);
        if (!shim_gate_open())
            return false;
    } while (!ring_move_head(shared, &head, head + count));
    ring_fetch_ahead(ring, head);
    *position = head;
    return true;
}

void ring_count_dropped(void)
{
    atomic_fetch_add_explicit(&ring_writer.writers->dropped, 1, memory_order_relaxed);
}

void (*ring_has_lost)(void);

static void watch_gate(void)
{
    uint32_t seen = SHIM_GATE_OPEN;
    atomic_compare_exchange_strong(&shim_gate.open, &seen, SHIM_GATE_WATCHED);
}

bool ring_is_mine(uint64_t position)
{
    uint64_t tail = atomic_load_explicit(&ring_writer.reader->tail, memory_order_acquire);
    return position >= tail && !ring_is_published(position);
}

void ring_note_loss(void)
{
    if (!shim_gate_open())
        return;
    ring_count_dropped();
    atomic_fetch_add(&ring_writer.lost, 1);
    /* So that the next event looks. */
    atomic_store(&ring_writer.clock_sent, ~atomic_load(&ring_writer.reader->clock));
}

/* Has the reader gone on without a writer? */
static void look_for_skips(void)
{
    uint32_t skips = atomic_load_explicit(&ring_writer.reader->skips, memory_order_acquire);
    if (SHIM_LIKELY(skips == atomic_load(&ring_writer.skips)))
        return;
    watch_gate();
    atomic_store(&ring_writer.skips, skips);
    atomic_fetch_add(&ring_writer.lost, 1);
}

static void look_for_losses(void)
{
    static _Atomic uint32_t followed;
    look_for_skips();
    uint32_t lost = atomic_load_explicit(&ring_writer.lost, memory_order_relaxed);
    if (SHIM_LIKELY(lost == atomic_load_explicit(&followed, memory_order_relaxed)))
        return;
    if (atomic_exchange(&followed, lost) != lost && ring_has_lost)
        ring_has_lost();
}

/* Words that no record will stand in any more; the reader goes on behind them once the first one is
 * there, so that comes last. */
static void fill_words(uint64_t from, uint64_t to)
{
    const uint64_t filler = wire_first(WIRE_MARK) | (uint64_t)WIRE_MARK_ABANDONED
                                                        << WIRE_MARK_SHIFT;
    watch_gate();
    while (to-- > from)
        atomic_store_explicit(&ring_writer.words[to & ring_writer.mask],
                              filler | wire_lap_bit(to, ring_writer.log2_words),
                              memory_order_release);
}

/* --- notes --- */

static _Atomic(struct ring_note *) notes;
void (*ring_note_taken)(void);

/* One of a thread that has ended. */
static struct ring_note *take_free_note(void)
{
    for (struct ring_note *note = atomic_load(&notes); note; note = note->next) {
        bool is_free = true;
        if (atomic_load_explicit(&note->is_free, memory_order_relaxed) &&
            atomic_compare_exchange_strong(&note->is_free, &is_free, false))
            return note;
    }
    return NULL;
}

static struct ring_note *make_note(void)
{
    struct ring_note *note = memory_carve(sizeof *note);
    if (!note)
        return NULL;
    note->next = atomic_load(&notes);
    while (!atomic_compare_exchange_weak(&notes, &note->next, note))
        ;
    return note;
}

struct ring_note *ring_note_take(void)
{
    static struct ring_note nobodys;
    struct signals signals = signals_block();
    struct ring_note *note = shim_thread.note;
    if (!note)
        note = take_free_note();
    if (!note)
        note = make_note();
    shim_thread.note = note;
    if (note && ring_note_taken)
        ring_note_taken();
    signals_restore(signals);
    return note ? note : &nobodys;
}

void ring_note_give_back(void)
{
    struct ring_note *note = shim_thread.note;
    shim_thread.note = NULL;
    if (!note)
        return;
    ASSERT(!atomic_load(&note->is_free));
    atomic_store(&note->reserved, 0);
    atomic_store(&note->is_free, true);
}

void ring_notes_forget(void)
{
    for (struct ring_note *note = atomic_load(&notes); note; note = note->next) {
        atomic_store(&note->reserved, 0);
        atomic_store(&note->is_free, note != shim_thread.note);
    }
}

/* Has another thread the same position in its note? */
static bool is_noted_elsewhere(uint64_t position)
{
    for (const struct ring_note *note = atomic_load(&notes); note; note = note->next)
        if (note != shim_thread.note && atomic_load(&note->reserved) >> RING_NOTE_SHIFT == position)
            return true;
    return false;
}

/* Is it reserved, and not published yet? */
static bool is_open(uint64_t from, uint64_t to)
{
    uint64_t tail = atomic_load(&ring_writer.reader->tail);
    uint64_t head = atomic_load(&ring_writer.writers->head);
    return head - tail <= ring_writer.mask + 1 && from >= tail && to <= head &&
           !ring_is_published(from);
}

/*
 * Where another thread has noted the position too, it has lost the race for it and will note
 * another one, or it has won and will publish: one of the two is soon. In this order, so that what
 * is found open is nobody else's.
 */
void ring_close(uint64_t noted)
{
    uint64_t from = noted >> RING_NOTE_SHIFT;
    uint64_t to = from + (noted & ((UINT64_C(1) << RING_NOTE_SHIFT) - 1));
    for (unsigned i = 0; i < CLOSING_SPINS_MAX && is_open(from, to); i++) {
        ASSERT(to - from <= RING_RECORD_WORDS_MAX);
        if (!is_noted_elsewhere(from)) {
            if (is_open(from, to))
                fill_words(from, to);
            return;
        }
        processor_pause();
    }
}

void ring_writer_leave(bool covers)
{
    struct ring_writers_page *writers = ring_writer.writers;
    size_t bytes = ring_writers_bytes(ring_writer.log2_words);
    if (covers) {
        real_mmap(writers, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED,
                  -1, 0);
        return;
    }
    real_munmap(writers, bytes);
    real_munmap((void *)(uintptr_t)ring_writer.reader, RING_PAGE_BYTES);
}

void ring_follow_clock(uint32_t clock)
{
    look_for_losses();
    ring_writer.carrier->tick(clock);
}

void ring_send_time(void)
{
    ring_send_word(wire_first(WIRE_TIME) | (ring_monotonic_ns() & WIRE_TIME_MASK));
}
