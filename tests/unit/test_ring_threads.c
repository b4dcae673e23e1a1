/*
 * Many writers and a reader of one ring in one process, so that ThreadSanitizer sees both sides:
 * what a writer did before it published a record has happened for whoever has read it. Between
 * reserving and publishing, and between a look and a wait, writers and reader lose time at random.
 */
#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "unit.h"

#include "futex.h"
#include "preload/carrier/ring_writer.h"
#include "preload/carrier/shared_ring.h"
#include "ring.h"
#include "wire.h"

/* What the ring's writer says. */
void environment_forget(void);
void environment_forget(void)
{
}
void complain(const char *reason);
void complain(const char *reason)
{
    fail_msg("%s", reason);
}

#define LOG2_WORDS RING_LOG2_WORDS_MIN
#define WORDS      (1u << LOG2_WORDS)
#define WRITERS    6u
#define RECORDS    4000u /* of each writer; the ring is passed many times */
#define WORDS_MOST 9u

static _Alignas(4096) unsigned char memory[RING_PAGE_BYTES + WORDS * 8];
static struct ring_writers_page *const writers = (struct ring_writers_page *)(void *)memory;
static struct ring_reader_page reader;

/* What a writer leaves for each record beside the ring, and no lock guards. */
static unsigned beside[WRITERS][RECORDS];

static unsigned below(unsigned *state, unsigned limit)
{
    *state = *state * 1664525u + 1013904223u;
    return (*state >> 8) % limit;
}

static void lose_time(unsigned *state)
{
    const struct timespec moment = {.tv_nsec = 20000};
    unsigned chance = below(state, 256);
    if (chance == 0)
        nanosleep(&moment, NULL);
    else if (chance < 16)
        sched_yield();
}

static unsigned length_of(unsigned writer, unsigned record)
{
    unsigned state = writer * 7919u + record;
    return 1 + below(&state, WORDS_MOST);
}

static void *write_records(void *argument)
{
    unsigned writer = (unsigned)(uintptr_t)argument, state = writer + 1;
    for (unsigned record = 0; record < RECORDS; record++) {
        unsigned count = length_of(writer, record);
        uint64_t position;
        beside[writer][record] = count;
        assert_true(ring_reserve(count, &position));
        lose_time(&state);
        for (unsigned i = 1; i < count; i++)
            ring_put(position + i, (uint64_t)writer << 32 | record << 4 | i);
        lose_time(&state);
        ring_publish(position, wire_first(WIRE_MARK) | (uint64_t)writer << 32 | record);
    }
    ring_note_give_back();
    return NULL;
}

static uint64_t word_at(uint64_t position)
{
    return atomic_load_explicit(&ring_words(writers)[position & (WORDS - 1)], memory_order_acquire);
}

static void wake_writers(uint64_t position)
{
    atomic_store(&reader.tail, position);
    if (!atomic_load(&writers->writers_wait))
        return;
    atomic_fetch_add(&reader.progress, 1);
    futex_wake(&reader.progress, INT32_MAX);
}

/* Waits until the record at the position is published; returns its first word. */
static uint64_t await_record(uint64_t position, unsigned *state)
{
    uint64_t word;
    while (((word = word_at(position)) ^ wire_lap_bit(position, LOG2_WORDS)) & WIRE_LAP_BIT) {
        wake_writers(position);
        lose_time(state);
        sched_yield();
    }
    return word;
}

/* The length of the record that stands there, which is the next of its writer. */
static unsigned check_record(uint64_t position, uint64_t first, unsigned seen[WRITERS])
{
    unsigned writer = (unsigned)(first >> 32 & 0xff), record = (unsigned)first;
    assert_true(writer < WRITERS);
    assert_int_equal(record, seen[writer]++);
    unsigned count = beside[writer][record];
    assert_int_equal(count, length_of(writer, record));
    for (unsigned i = 1; i < count; i++)
        assert_int_equal(word_at(position + i), ((uint64_t)writer << 32 | record << 4 | i) |
                                                    wire_lap_bit(position + i, LOG2_WORDS));
    return count;
}

static void test_writers_and_a_reader(void **unused)
{
    (void)unused;
    pthread_t threads[WRITERS];
    unsigned seen[WRITERS] = {0}, state = 99;
    uint64_t position = 0;
    reader = (struct ring_reader_page){.magic = RING_MAGIC,
                                       .log2_words = LOG2_WORDS,
                                       .overflow = RING_OVERFLOW_BLOCK,
                                       .patience_ns = UINT64_C(60000000000),
                                       .owner = (uint32_t)getpid()};
    atomic_store(&shim_gate.open, 1);
    assert_true(ring_writer_init(&shared_ring, &reader, writers, sizeof memory));
    for (uintptr_t i = 0; i < WRITERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, write_records, (void *)i), 0);
    for (unsigned left = WRITERS * RECORDS; left; left--) {
        uint64_t first = await_record(position, &state);
        position += check_record(position, first, seen);
        lose_time(&state);
        if (left % 64 == 0)
            wake_writers(position);
    }
    for (unsigned i = 0; i < WRITERS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(atomic_load(&writers->head), position);
    assert_int_equal(atomic_load(&writers->dropped), 0);
    assert_true(position > 4 * WORDS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_writers_and_a_reader)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
