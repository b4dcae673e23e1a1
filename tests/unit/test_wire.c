/*
 * The layouts of the event words, bit by bit: what a writer of this version sends, a reader of any
 * other must understand or refuse.
 */
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include "unit.h"

#include "chunk.h"
#include "control.h"
#include "handshake.h"
#include "preload/carrier/ring_writer.h"
#include "preload/carrier/shared_ring.h"
#include "ring.h"
#include "varint.h"
#include "wire.h"

/* What the ring's writer says. */
static const char *complaint;
void environment_forget(void);
void environment_forget(void)
{
}
void complain(const char *reason);
void complain(const char *reason)
{
    complaint = reason;
}

#define LOG2_WORDS RING_LOG2_WORDS_MIN
#define WORDS      (1u << LOG2_WORDS)

static _Alignas(4096) unsigned char memory[RING_PAGE_BYTES + WORDS * 8];
static struct ring_writers_page *const writers = (struct ring_writers_page *)(void *)memory;
static struct ring_reader_page reader;

static void make_ring(uint32_t overflow)
{
    memset(memory, 0, sizeof memory);
    reader = (struct ring_reader_page){.magic = RING_MAGIC,
                                       .log2_words = LOG2_WORDS,
                                       .overflow = overflow,
                                       .patience_ns = 1000000};
    atomic_store(&shim_gate.open, 1);
    complaint = NULL;
    assert_true(ring_writer_init(&shared_ring, &reader, writers, sizeof memory));
}

static uint64_t word_at(unsigned place)
{
    uint64_t word;
    memcpy(&word, memory + RING_PAGE_BYTES + place * 8, sizeof word);
    return word;
}

static void test_kinds_and_bits(void **state)
{
    (void)state;
    assert_int_equal(wire_first(WIRE_ALLOCATION), 0x4400000000000000);
    assert_int_equal(wire_first(WIRE_MARK), 0x6400000000000000);
    assert_int_equal(wire_first(WIRE_UNMAP), 0x6800000000000000);
    assert_int_equal(wire_kind(0xc8000000deadbeef), WIRE_FREE);
    assert_int_equal(wire_first(WIRE_MARK) | (uint64_t)WIRE_MARK_TEXT << WIRE_MARK_SHIFT |
                         WIRE_TEXT_BEGIN_BIT | 5,
                     0x642c800000000005);
    assert_int_equal(wire_first(WIRE_MARK) | (uint64_t)WIRE_MARK_THREAD_NAME << WIRE_MARK_SHIFT |
                         UINT64_C(5) << WIRE_THREAD_NAME_SLOT_SHIFT |
                         UINT64_C(2) << WIRE_THREAD_NAME_WIDTH_SHIFT | 12,
                     0x643000280000040c);
    assert_true(WIRE_FRAGMENT_MAX <= WIRE_TEXT_LENGTH_MASK);
    assert_int_equal(sizeof(struct wire_text), 4);
    assert_int_equal(wire_lap_bit(0, 12), 0x8000000000000000);
    assert_int_equal(wire_lap_bit(4095, 12), 0x8000000000000000);
    assert_int_equal(wire_lap_bit(4096, 12), 0);
    assert_int_equal(wire_lap_bit(8192, 12), 0x8000000000000000);
}

static void test_record_bytes(void **state)
{
    static const unsigned char golden[] = {/* a FREE of 0x7f0011223344 in the first pass */
                                           0x44, 0x33, 0x22, 0x11, 0x00, 0x7f, 0x00, 0xc8,
                                           /* an ALLOCATION: object domain, depth +1, thread 5,
                                              instruction 9, size 100, address 0x10 */
                                           0x10, 0x00, 0x00, 0x00, 0x00, 0x00, 0xa1, 0xc5, 0x09,
                                           0x00, 0x00, 0x64, 0x00, 0x40, 0x0a, 0x80,
                                           /* an UNMAP that has failed: thread 5, address
                                              0x7f0011223000, two pages */
                                           0x00, 0x30, 0x22, 0x11, 0x00, 0x7f, 0x05, 0xe8, 0x00,
                                           0x20, 0x00, 0x00, 0x00, 0x00, 0x00, 0xa0,
                                           /* a CHAIN that is kept: thread 5, number 7, levels 11
                                              to 14 */
                                           0x0f, 0x00, 0x0b, 0x00, 0x07, 0x50, 0x00, 0xf6};
    (void)state;
    make_ring(RING_OVERFLOW_BLOCK);
    uint64_t position = 0;
    assert_true(ring_send_word(wire_first(WIRE_FREE) | 0x7f0011223344));
    assert_true(ring_reserve(2, &position));
    assert_int_equal(position, 1);
    ring_put(position + 1, UINT64_C(5) << WIRE_THREAD_SHIFT | WIRE_INSTRUCTION_BIT |
                               UINT64_C(100) << WIRE_SIZE_SHIFT | 9);
    ring_publish(position, wire_first(WIRE_ALLOCATION) |
                               (uint64_t)WIRE_ALLOCATOR_OBJECT << WIRE_ALLOCATOR_SHIFT |
                               UINT64_C(33) << WIRE_DEPTH_CHANGE_SHIFT | 0x10);
    assert_true(ring_reserve(2, &position));
    ring_put(position + 1, WIRE_UNMAP_FAILED_BIT | 0x2000);
    ring_publish(position, wire_first(WIRE_UNMAP) | UINT64_C(5) << WIRE_REALLOC_THREAD_SHIFT |
                               0x7f0011223000);
    assert_true(ring_send_word(
        wire_first(WIRE_CHAIN) | WIRE_CHAIN_KEEP_BIT | UINT64_C(5) << WIRE_CHAIN_THREAD_SHIFT |
        UINT64_C(7) << WIRE_CHAIN_NUMBER_SHIFT | UINT64_C(11) << WIRE_CHAIN_LEVEL_SHIFT | 15));
    assert_memory_equal(memory + RING_PAGE_BYTES, golden, sizeof golden);
    assert_int_equal(atomic_load(&writers->head), 6);
}

static void test_handshake_bytes(void **state)
{
    static const unsigned char hello_golden[] = {
        0x48, 0x4c, 0x50, 0x48, 2, 0, 0, 0, 0xf0, 0x01, 0x0c, 0x03, 2, 0, 0, 0, 0x39, 0x30, 0,
        0,    0x38, 0x30, 0,    0, 1, 0, 0, 0,    5,    0,    0,    0, 7, 0, 0, 0,    0,    0,
        0,    0,    8,    0,    0, 0, 0, 0, 0,    0,    9,    0,    0, 0, 0, 0, 0,    0};
    static const unsigned char welcome_golden[] = {
        0x48, 0x4c, 0x50, 0x48, 2, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 17, 0, 0, 0,
        1,    0,    0,    0,    3, 0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 0,  0, 0, 0};
    static const unsigned char frame_golden[] = {0x46, 0x4c, 0x50, 0x48, 2, 0, 0, 0, 3, 0, 0, 0,
                                                 0,    0,    0,    0,    4, 0, 0, 0, 0, 0, 0, 0};
    (void)state;
    struct hello hello = {.magic = HANDSHAKE_MAGIC,
                          .wire_version = 2,
                          .python_version = 0x030c01f0,
                          .fork_token = 2,
                          .process = 12345,
                          .parent = 12344,
                          .carrier = HELLO_STREAM,
                          .details = 5,
                          .clock_ns = 7,
                          .stream = 8,
                          .position = 9};
    struct welcome welcome = {.magic = HANDSHAKE_MAGIC,
                              .wire_version = 2,
                              .verdict = WELCOME_ACCEPTED,
                              .carrier = HELLO_STREAM,
                              .log2_words = 17,
                              .overflow = 1,
                              .patience_ns = 3,
                              .stream = 4};
    struct frame frame = {.magic = FRAME_MAGIC, .words = 2, .position = 3, .dropped = 4};
    assert_int_equal(WIRE_VERSION, 7);
    assert_memory_equal(&hello, hello_golden, sizeof hello);
    assert_memory_equal(&welcome, welcome_golden, sizeof welcome);
    assert_memory_equal(&frame, frame_golden, sizeof frame);
    assert_int_equal(sizeof(struct control_message), 488);
    assert_int_equal(offsetof(struct ring_reader_page, owner), 24);
    assert_int_equal(offsetof(struct ring_reader_page, tail), 64);
    assert_int_equal(offsetof(struct ring_reader_page, clock), 128);
    assert_int_equal(offsetof(struct ring_reader_page, state), 132);
    assert_int_equal(offsetof(struct ring_reader_page, skips), 136);
    assert_int_equal(offsetof(struct ring_reader_page, progress), 192);
    assert_int_equal(offsetof(struct ring_writers_page, head), 0);
    assert_int_equal(offsetof(struct ring_writers_page, dropped), 8);
    assert_int_equal(offsetof(struct ring_writers_page, abandoned), 16);
    assert_int_equal(offsetof(struct ring_writers_page, reader_sleeps), 64);
    assert_int_equal(offsetof(struct ring_writers_page, writers_wait), 68);
}

static void test_full_ring_drops_and_counts(void **state)
{
    (void)state;
    make_ring(RING_OVERFLOW_DROP);
    for (unsigned i = 0; i < WORDS; i++)
        assert_true(ring_send_word(wire_first(WIRE_FREE) | i));
    for (unsigned i = 0; i < 10; i++)
        assert_false(ring_send_word(wire_first(WIRE_FREE)));
    assert_int_equal(atomic_load(&writers->dropped), 10);
    assert_int_equal(atomic_load(&writers->head), WORDS);
    /* Room for three: they carry the second pass's lap bit. */
    atomic_store(&reader.tail, 3);
    for (unsigned i = 0; i < 3; i++)
        assert_true(ring_send_word(wire_first(WIRE_FREE) | 0xabc));
    assert_false(ring_send_word(wire_first(WIRE_FREE)));
    assert_int_equal(word_at(0), wire_first(WIRE_FREE) | 0xabc);
    assert_int_equal(word_at(3), WIRE_LAP_BIT | wire_first(WIRE_FREE) | 3);
    assert_int_equal(atomic_load(&writers->dropped), 11);
    assert_int_equal(atomic_load(&shim_gate.open), 1);
}

#define ABANDONED (wire_first(WIRE_MARK) | (uint64_t)WIRE_MARK_ABANDONED << WIRE_MARK_SHIFT)

/* A record of three words that its writer has left, behind one and before another. */
static uint64_t leave_record_open(void)
{
    uint64_t position = 0;
    assert_true(ring_send_word(wire_first(WIRE_FREE) | 1));
    assert_true(ring_reserve(3, &position));
    ring_put(position + 1, 5);
    uint64_t reserved = ring_noted();
    assert_true(ring_send_word(wire_first(WIRE_FREE) | 2));
    return reserved;
}

static void check_filled(void)
{
    assert_int_equal(word_at(0), WIRE_LAP_BIT | wire_first(WIRE_FREE) | 1);
    for (unsigned i = 1; i < 4; i++)
        assert_int_equal(word_at(i), WIRE_LAP_BIT | ABANDONED);
    assert_int_equal(word_at(4), WIRE_LAP_BIT | wire_first(WIRE_FREE) | 2);
}

static void test_abandoned_record_is_filled(void **state)
{
    (void)state;
    make_ring(RING_OVERFLOW_BLOCK);
    ring_close(leave_record_open());
    check_filled();
    /* What has been published stays as it is. */
    ring_close(ring_noted());
    check_filled();
    /* So does what was read long ago, and what was noted and never reserved. */
    make_ring(RING_OVERFLOW_BLOCK);
    uint64_t reserved = leave_record_open();
    atomic_store(&reader.tail, 4);
    ring_close(reserved);
    assert_int_equal(word_at(1), 0);
    ring_close((uint64_t)5 << RING_NOTE_SHIFT | 1);
    assert_int_equal(word_at(5), 0);
}

static void *leave_record_open_elsewhere(void *noted)
{
    *(uint64_t *)noted = leave_record_open();
    ring_note(*(uint64_t *)noted);
    return NULL;
}

/* It may be the other thread's, which has not come to publish it. */
static void test_record_noted_by_two_threads_is_left(void **state)
{
    (void)state;
    pthread_t other;
    uint64_t noted;
    make_ring(RING_OVERFLOW_BLOCK);
    pthread_create(&other, NULL, leave_record_open_elsewhere, &noted);
    pthread_join(other, NULL);
    ring_close(noted);
    assert_int_equal(word_at(1), 0);
    ring_notes_forget();
    ring_close(noted);
    check_filled();
}

static void fill_ring(void)
{
    for (unsigned i = 0; i < WORDS; i++)
        assert_true(ring_send_word(wire_first(WIRE_FREE) | i));
}

static void test_silent_reader_ends_the_recording(void **state)
{
    (void)state;
    make_ring(RING_OVERFLOW_BLOCK);
    fill_ring();
    assert_false(ring_send_word(wire_first(WIRE_FREE)));
    assert_int_equal(atomic_load(&shim_gate.open), 0);
    assert_int_equal(atomic_load(&writers->abandoned), 1);
    assert_string_equal(complaint, "the collector does not answer; the program goes on untraced");
}

static void test_dead_reader_ends_the_recording(void **state)
{
    (void)state;
    make_ring(RING_OVERFLOW_BLOCK);
    fill_ring();
    reader.patience_ns = UINT64_C(3600000000000);
    atomic_store(&reader.owner, 1000 | RING_OWNER_DIED);
    assert_false(ring_send_word(wire_first(WIRE_FREE)));
    assert_string_equal(complaint, "the collector has died; the program goes on untraced");
}

static void test_closed_ring_ends_the_recording(void **state)
{
    (void)state;
    make_ring(RING_OVERFLOW_BLOCK);
    atomic_store(&reader.state, RING_CLOSED);
    assert_false(ring_send_word(wire_first(WIRE_FREE)));
    assert_int_equal(atomic_load(&shim_gate.open), 0);
}

static void test_unsound_rings_are_refused(void **state)
{
    (void)state;
    make_ring(RING_OVERFLOW_BLOCK);
    assert_false(ring_writer_init(&shared_ring, &reader, writers, sizeof memory - 8));
    reader.log2_words = RING_LOG2_WORDS_MIN - 1;
    assert_false(ring_writer_init(&shared_ring, &reader, writers,
                                  ring_writers_bytes(RING_LOG2_WORDS_MIN - 1)));
    reader.log2_words = LOG2_WORDS;
    reader.magic++;
    assert_false(ring_writer_init(&shared_ring, &reader, writers, sizeof memory));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kinds_and_bits),
        cmocka_unit_test(test_record_bytes),
        cmocka_unit_test(test_handshake_bytes),
        cmocka_unit_test(test_full_ring_drops_and_counts),
        cmocka_unit_test(test_abandoned_record_is_filled),
        cmocka_unit_test(test_record_noted_by_two_threads_is_left),
        cmocka_unit_test(test_silent_reader_ends_the_recording),
        cmocka_unit_test(test_dead_reader_ends_the_recording),
        cmocka_unit_test(test_closed_ring_ends_the_recording),
        cmocka_unit_test(test_unsound_rings_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
