/*
 * The collector reads the ring itself.
 *
 * `limit` is set to at most an eighth of the ring beyond the head, so that every writer comes by
 * here regularly: to see that the collector lives, and to wake it when the ring is half full. The
 * reader sleeps for a few milliseconds at most, so that is rare; a program in a sandbox may be
 * killed for a system call that it did not announce. When there is no room the writer waits on the
 * futex `progress` in short spells. It gives up at once when the collector has died (the kernel
 * marks the word that it owned) or when the program has written where the positions stand, and
 * after `patience_ns` without any progress of the reader: the gate shuts for the whole process and
 * one line on stderr says so. When the collector has closed the ring, because the recording is
 * over, it shuts without a word.
 *
 * A program that has given up system calls (sealing.h) spins for a moment instead, and then the
 * record is dropped and counted; the next one spins only once the reader has moved on.
 *
 * Signals are blocked while a writer is counted among those who wait: a handler that jumped away
 * would be counted for ever.
 */
#include "preload/carrier/shared_ring.h"

#include "futex.h"
#include "preload/arch/processor.h"
#include "preload/base/shim.h"
#include "preload/base/signals.h"
#include "preload/carrier/ring_writer.h"

#define WAIT_SPELL_NS UINT64_C(50000000)
/* At its end a program is held until it has been looked at. */
#define SETTLE_NS       UINT64_C(250000000)
#define SETTLE_SPELL_NS UINT64_C(10000000)
#define OVERWRITTEN                                                                                \
    "the program has overwritten the memory that it shares with the collector; it goes on "        \
    "untraced"
/* Rounds of spinning: some tenths of a second, which is more than a reader sleeps that nobody
 * wakes. */
#define SPINS_MAX (1u << 22)

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

/* Is the ring as large as the way from the tail to there? */
static bool is_within_ring(uint64_t head, uint64_t tail)
{
    return head - tail <= ring_writer.mask + 1;
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
        if (is_within_ring(*head + count, *tail))
            return true;
    } while (atomic_load(&reader->tail) != *tail);
    return false;
}

static bool has_room_for(uint64_t count)
{
    uint64_t head, tail;
    return has_room((unsigned)count, &head, &tail);
}

static bool is_read(uint64_t head)
{
    return (int64_t)(atomic_load(&ring_writer.reader->tail) - head) >= 0;
}

/* One spell of waiting for the reader to move on, unless what is waited for is there. */
static void wait_for_progress(bool (*is_there)(uint64_t what), uint64_t what, uint64_t spell_ns)
{
    uint32_t progress = atomic_load(&ring_writer.reader->progress);
    struct signals signals = signals_block();
    atomic_fetch_add(&ring_writer.writers->writers_wait, 1);
    wake_reader();
    if (!is_there(what))
        futex_wait(&ring_writer.reader->progress, progress, spell_ns);
    atomic_fetch_sub(&ring_writer.writers->writers_wait, 1);
    signals_restore(signals);
}

static bool wait_for_room(unsigned count)
{
    struct ring_patience patience = {0};
    for (;;) {
        wait_for_progress(has_room_for, count, WAIT_SPELL_NS);
        if (!shim_gate_open() || collector_is_gone())
            return false;
        uint64_t head, tail;
        if (has_room(count, &head, &tail))
            return true;
        /* Where the head cannot be the program has written there, and nothing will make room. */
        if (!is_within_ring(head, tail)) {
            ring_give_up(OVERWRITTEN);
            return false;
        }
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
        processor_pause();
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

static void follow_clock(uint32_t clock)
{
    atomic_store_explicit(&ring_writer.clock_sent, clock, memory_order_relaxed);
    ring_send_time();
}

static void settle(void)
{
    uint64_t head = atomic_load(&ring_writer.writers->head), begun = ring_monotonic_ns();
    while (!is_read(head) && shim_gate_open() && !shim_is_sealed() && !collector_is_gone() &&
           ring_monotonic_ns() - begun < SETTLE_NS)
        wait_for_progress(is_read, head, SETTLE_SPELL_NS);
}

const struct carrier shared_ring = {.make_room = make_room, .tick = follow_clock, .settle = settle};
