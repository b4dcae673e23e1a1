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
 */
#include "ring_writer.h"

#include <errno.h>
#include <time.h>

#include "complaint.h"
#include "environment.h"
#include "futex.h"
#include "stream_writer.h"

struct ring_writer ring_writer;

#define WAIT_SPELL_NS UINT64_C(50000000)
/* More than a spell of waiting takes, even on a busy machine. */
#define WAIT_COUNTED_NS (4 * WAIT_SPELL_NS)

static uint64_t monotonic_ns(void)
{
    int saved = errno;
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
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
    if (atomic_load(&writers->reader_sleeps) && atomic_exchange(&writers->reader_sleeps, 0))
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
    atomic_fetch_add(&ring_writer.writers->writers_wait, 1);
    wake_reader();
    if (!has_room(count, &head, &tail))
        futex_wait(&ring_writer.reader->progress, progress, WAIT_SPELL_NS);
    atomic_fetch_sub(&ring_writer.writers->writers_wait, 1);
}

bool ring_patience_ends(struct ring_patience *patience, uint64_t tail, uint64_t limit_ns)
{
    uint64_t now = monotonic_ns(), passed = now - patience->looked_ns;
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

bool ring_make_room(unsigned count)
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
        if (ring_writer.drops) {
            atomic_fetch_add_explicit(&ring_writer.writers->dropped, 1, memory_order_relaxed);
            return false;
        }
        if (!wait_for_room(count))
            return false;
        has_room(count, &head, &tail);
    }
    atomic_store_explicit(&ring_writer.limit, limit_for(head, count, tail), memory_order_relaxed);
    return true;
}

void ring_follow_clock(uint32_t clock)
{
    if (ring_writer.streams) {
        stream_tick();
        return;
    }
    atomic_store_explicit(&ring_writer.clock_sent, clock, memory_order_relaxed);
    ring_send_time();
}

void ring_send_time(void)
{
    ring_send_word(wire_first(WIRE_TIME) | (monotonic_ns() & WIRE_TIME_MASK));
}
