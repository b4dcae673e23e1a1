/*
 * The writing side of the ring (schema/ring.h). Any thread, also in signal handlers.
 *
 * A record is: ring_reserve(), ring_put() of its continuation words, ring_publish() of its first
 * word. Between reserve and publish a writer does nothing else, so that holes stay rare.
 *
 * ring_reserve() fails when the record is dropped (--overflow=drop, counted) or when the collector
 * is gone or silent for too long: then the gate is shut and the program runs on untraced.
 */
#ifndef HEAPLINE_PRELOAD_RING_WRITER_H
#define HEAPLINE_PRELOAD_RING_WRITER_H

#include "ring.h"
#include "shim.h"
#include "wire.h"

struct ring_writer {
    struct ring_control *control;
    _Atomic uint64_t *words;
    uint64_t mask;
    unsigned log2_words;
    uint32_t drops; /* 1: --overflow=drop */
    /* Positions up to here may be reserved without looking at the reader. */
    _Atomic uint64_t limit;
    /* The value of control->clock for which a TIME record has been sent. */
    _Atomic uint32_t clock_sent;
};
extern struct ring_writer ring_writer;

/* Takes over a mapped ring whose control page is `control`; false when it is not sound. */
bool ring_writer_init(struct ring_control *control, size_t bytes);

/* The path behind ring_reserve(): waits for room, wakes the reader, gives up. */
bool ring_make_room(uint64_t head, unsigned count);

/* Sends a TIME record. */
void ring_send_time(void);

/* Reserves `count` words; false: this record is not to be sent. */
static inline bool ring_reserve(unsigned count, uint64_t *position)
{
    struct ring_writer *ring = &ring_writer;
    _Atomic uint64_t *shared = &ring->control->head;
    uint64_t head = atomic_load_explicit(shared, memory_order_relaxed);
    do {
        while (SHIM_UNLIKELY(head + count >
                             atomic_load_explicit(&ring->limit, memory_order_relaxed))) {
            if (!ring_make_room(head, count))
                return false;
            head = atomic_load_explicit(shared, memory_order_relaxed);
        }
    } while (SHIM_UNLIKELY(!atomic_compare_exchange_weak_explicit(
        shared, &head, head + count, memory_order_acquire, memory_order_relaxed)));
    /* The lines ahead were last touched by the reader's core: fetch them before they are needed. */
    __builtin_prefetch((const void *)&ring->words[(head + 64) & ring->mask], 1);
    *position = head;
    return true;
}

static inline void ring_put(uint64_t position, uint64_t payload)
{
    struct ring_writer *ring = &ring_writer;
    atomic_store_explicit(&ring->words[position & ring->mask],
                          payload | wire_lap_bit(position, ring->log2_words), memory_order_relaxed);
}

static inline void ring_publish(uint64_t position, uint64_t first)
{
    struct ring_writer *ring = &ring_writer;
    atomic_store_explicit(&ring->words[position & ring->mask],
                          first | wire_lap_bit(position, ring->log2_words), memory_order_release);
}

/* Sends a TIME record when the reader's clock has moved since the last one. */
static inline void ring_tick(void)
{
    struct ring_writer *ring = &ring_writer;
    uint32_t clock = atomic_load_explicit(&ring->control->clock, memory_order_relaxed);
    if (SHIM_UNLIKELY(clock != atomic_load_explicit(&ring->clock_sent, memory_order_relaxed))) {
        atomic_store_explicit(&ring->clock_sent, clock, memory_order_relaxed);
        ring_send_time();
    }
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

#endif
