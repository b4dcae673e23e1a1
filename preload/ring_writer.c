/*
 * The ring's slow path.
 *
 * `limit` is set to at most an eighth of the ring beyond the head, so that every writer comes by
 * here regularly: to see that the collector lives, and to wake it when the ring is half full. The
 * reader sleeps for a few milliseconds at most, so that is rare; a program in a sandbox may be
 * killed for a system call that it did not announce. When there is no room the writer waits on the
 * futex `progress` in short spells. It gives up at once when the collector has died (the kernel
 * marks the word that it owned), and after `patience_ns` without any progress of the reader:
 * the gate shuts for the whole process and one line on stderr says so. When the collector has
 * closed the ring, because the recording is over, it shuts without a word.
 *
 * A program that has given up system calls (sealing.h) spins for a moment instead, and then the
 * record is dropped and counted; the next one spins only once the reader has moved on.
 *
 * Signals are blocked while a writer is counted among those who wait: a handler that jumped away
 * would be counted for ever.
 */
#include "ring_writer.h"

#include <errno.h>
#include <sys/mman.h>
#include <time.h>

#include "complaint.h"
#include "environment.h"
#include "futex.h"
#include "memory.h"
#include "real_mapping.h"
#include "signals.h"
#include "stream_writer.h"

struct ring_writer ring_writer;

#define WAIT_SPELL_NS UINT64_C(50000000)
/* More than a spell of waiting takes, even on a busy machine. */
#define WAIT_COUNTED_NS (4 * WAIT_SPELL_NS)
/* Rounds of spinning: some tenths of a second, which is more than a reader sleeps that nobody
 * wakes. */
#define SPINS_MAX (1u << 22)
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

bool ring_writer_init(const struct ring_reader_page *reader, struct ring_writers_page *writers,
                      size_t bytes)
{
    if (reader->magic != RING_MAGIC || reader->log2_words < RING_LOG2_WORDS_MIN ||
        reader->log2_words > RING_LOG2_WORDS_MAX || ring_writers_bytes(reader->log2_words) != bytes)
        return false;
    ring_writer.reader = reader;
    ring_writer.writers = writers;
    ring_writer.words = ring_words(writers);
    ring_writer.log2_words = reader->log2_words;
    ring_writer.mask = (UINT64_C(1) << reader->log2_words) - 1;
    ring_writer.drops = reader->overflow == RING_OVERFLOW_DROP;
    ring_writer.streams = false;
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

static bool collector_is_gone(void)
{
    const struct ring_reader_page *reader = ring_writer.reader;
    if (atomic_load_explicit(&reader->owner, memory_order_acquire) & RING_OWNER_DIED) {
        ring_give_up("the collector has died; the program goes on untraced");
        return true;
    }
    uint32_t state = atomic_load_explicit(&reader->state, memory_order_acquire);
    if (state != RING_OPEN) {
        /* Usually the command has ended, and this process has not. */
        ring_give_up(state == RING_STOPPED ? RING_LIMIT : NULL);
        return true;
    }
    return false;
}

static void wake_reader(void)
{
    struct ring_writers_page *writers = ring_writer.writers;
    if (!shim_is_sealed() && atomic_load(&writers->reader_sleeps) &&
        atomic_exchange(&writers->reader_sleeps, 0))
        futex_wake(&writers->reader_sleeps, 1);
}

/* How far writers may go: what the reader has left free, but no further than an eighth of the ring
 * before the next look. */
static uint64_t limit_for(uint64_t head, unsigned count, uint64_t tail)
{
    uint64_t capacity = ring_writer.mask + 1;
    uint64_t step = capacity / 8;
    uint64_t look = head + (step > count ? step : count);
    return look < tail + capacity ? look : tail + capacity;
}

/* Is there room for `count` words at the head? Other threads and the reader move on meanwhile: the
 * tail is looked at first, for a head from before it would seem to be a whole ring away, and once
 * more before it is said that there is none. */
static bool has_room(unsigned count, uint64_t *head, uint64_t *tail)
{
    const struct ring_reader_page *reader = ring_writer.reader;
    do {
        *tail = atomic_load(&reader->tail);
        *head = atomic_load(&ring_writer.writers->head);
        if (*head + count - *tail <= ring_writer.mask + 1)
            return true;
    } while (atomic_load(&reader->tail) != *tail);
    return false;
}

/* One spell of waiting for the reader to move on. */
static void wait_for_progress(unsigned count)
{
    uint64_t head, tail;
    uint32_t progress = atomic_load(&ring_writer.reader->progress);
    struct signals signals = signals_block();
    atomic_fetch_add(&ring_writer.writers->writers_wait, 1);
    wake_reader();
    if (!has_room(count, &head, &tail))
        futex_wait(&ring_writer.reader->progress, progress, WAIT_SPELL_NS);
    atomic_fetch_sub(&ring_writer.writers->writers_wait, 1);
    signals_restore(signals);
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

static bool wait_for_room(unsigned count)
{
    struct ring_patience patience = {0};
    for (;;) {
        wait_for_progress(count);
        if (!shim_gate_open() || collector_is_gone())
            return false;
        uint64_t head, tail;
        if (has_room(count, &head, &tail))
            return true;
        if (ring_patience_ends(&patience, tail, ring_writer.reader->patience_ns)) {
            atomic_store(&ring_writer.writers->abandoned, 1);
            ring_give_up(RING_SILENCE);
            return false;
        }
    }
}

/* Without a system call. */
static bool spin_for_room(unsigned count)
{
    static _Atomic uint64_t in_vain; /* tail + 1 when spinning was given up; 0: never was */
    uint64_t head, tail;
    bool room;
    for (unsigned i = 0; !(room = has_room(count, &head, &tail)) && i < SPINS_MAX; i++) {
        if (atomic_load_explicit(&in_vain, memory_order_relaxed) == tail + 1)
            break;
        __builtin_ia32_pause();
    }
    if (room)
        return true;
    atomic_store_explicit(&in_vain, tail + 1, memory_order_relaxed);
    ring_count_dropped();
    return false;
}

static bool find_room(unsigned count)
{
    if (ring_writer.drops) {
        ring_count_dropped();
        return false;
    }
    return shim_is_sealed() ? spin_for_room(count) : wait_for_room(count);
}

/* Waits for room, wakes the reader, gives up. */
static bool make_room(unsigned count)
{
    if (ring_writer.streams)
        return stream_make_room(count);
    uint64_t head, tail;
    if (!shim_gate_open() || collector_is_gone())
        return false;
    bool room = has_room(count, &head, &tail);
    if (head - tail > (ring_writer.mask + 1) / 2)
        wake_reader();
    if (!room) {
        if (!find_room(count))
            return false;
        has_room(count, &head, &tail);
    }
    atomic_store_explicit(&ring_writer.limit, limit_for(head, count, tail), memory_order_relaxed);
    return true;
}

bool ring_reserve_slowly(unsigned count, uint64_t *position)
{
    struct ring_writer *ring = &ring_writer;
    _Atomic uint64_t *shared = &ring->writers->head;
    uint64_t head = atomic_load_explicit(shared, memory_order_relaxed);
    do {
        while (head + count > atomic_load_explicit(&ring->limit, memory_order_relaxed)) {
            if (!make_room(count))
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

static void watch(void)
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
    watch();
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
static void fill(uint64_t from, uint64_t to)
{
    const uint64_t filler = wire_first(WIRE_MARK) | (uint64_t)WIRE_MARK_ABANDONED
                                                        << WIRE_MARK_SHIFT;
    watch();
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
        if (!is_noted_elsewhere(from)) {
            if (is_open(from, to))
                fill(from, to);
            return;
        }
        __builtin_ia32_pause();
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
    if (ring_writer.streams) {
        stream_tick();
        return;
    }
    atomic_store_explicit(&ring_writer.clock_sent, clock, memory_order_relaxed);
    ring_send_time();
}

void ring_send_time(void)
{
    ring_send_word(wire_first(WIRE_TIME) | (ring_monotonic_ns() & WIRE_TIME_MASK));
}
