/*
 * Chunks of history: golden bytes, what went in comes out, and damage is refused.
 */
#include <stdlib.h>
#include <zstd.h>

#include "unit.h"

#include "history_writer.h"

static void check_plain(const uint8_t *data, size_t size, const uint8_t *golden, size_t golden_size)
{
    uint8_t plain[256];
    assert_int_equal(ZSTD_getFrameContentSize(data, size), golden_size);
    assert_int_equal(ZSTD_decompress(plain, sizeof plain, data, size), golden_size);
    assert_memory_equal(plain, golden, golden_size);
}

static void test_bytes(void **state)
{
    static const uint8_t summary[] = {
        2,  0,    2,          /* two pairs, no exception, two marks */
        10, 0x80, 2,    2, 2, /* counter 5, size 256, allocated twice, freed once */
        3,  7,    1,    0,    /* counter 3, size 7, once, not freed */
        0,  0,    0xe8, 7,    /* event 0, block 0: 1000 us */
        3,  3,    1,          /* three of both later 1 us more */
    };
    /* Block 0 died at the age of 3 (class 1), after 0 ms (class 0); none of the other pair. */
    static const uint8_t lifetimes[] = {0x82, 2, 2, 2, 0};
    /* Blocks 0, 1, 2 of pairs 0, 1, 0; then block 0, the third from the end, is freed. */
    static const uint8_t events[] = {0, 2, 0, 7};
    static const uint8_t next_summary[] = {
        1,  2,    1,          /* one pair, two exceptions, one mark */
        10, 0x80, 2,    0, 0, /* freed once, restored once */
        2,  0,                /* block 2, distance 1, freed */
        4,  1,                /* block 0, distance 3, restored */
        0,  0,    0xe9, 7,
    };
    static const uint8_t next_events[] = {1, 1};
    /* Block 2 at the age of 1 after 1 ms; block 0 of above lives again. */
    static const uint8_t next_lifetimes[] = {0x83, 6, 2, 1, 1, 2};
    (void)state;
    struct history_writer writer;
    struct packer packer;
    assert_true(history_writer_init(&writer) && packer_init(&packer));
    history_writer_set_time(&writer, 1000);
    history_allocate(&writer, history_pair(&writer, 5, 256));
    history_allocate(&writer, history_pair(&writer, 3, 7));
    history_allocate(&writer, history_pair(&writer, 5, 256));
    history_writer_set_time(&writer, 1001);
    struct lifetime lifetime = history_free(&writer, 0, 5, 256, 1);
    struct history_chunk *chunk = history_writer_finish(&writer, &packer);
    assert_non_null(chunk);
    check_plain(chunk->data, chunk->summary_size, summary, sizeof summary);
    check_plain(chunk->data + chunk->summary_size, chunk->events_size, events, sizeof events);
    check_plain(chunk->data + chunk->summary_size + chunk->events_size, chunk->lifetimes_size,
                lifetimes, sizeof lifetimes);
    assert_int_equal(chunk->span.events, 4);
    assert_int_equal(chunk->span.started_us, 1000);
    assert_int_equal(chunk->span.ended_us, 1001);
    free(chunk);
    history_free(&writer, 2, 5, 256, 0);
    history_restore(&writer, 0, 5, 256, lifetime);
    chunk = history_writer_finish(&writer, &packer);
    check_plain(chunk->data, chunk->summary_size, next_summary, sizeof next_summary);
    check_plain(chunk->data + chunk->summary_size, chunk->events_size, next_events,
                sizeof next_events);
    check_plain(chunk->data + chunk->summary_size + chunk->events_size, chunk->lifetimes_size,
                next_lifetimes, sizeof next_lifetimes);
    assert_int_equal(chunk->span.first_event, 4);
    assert_int_equal(chunk->span.first_block, 3);
    free(chunk);
    assert_null(history_writer_finish(&writer, &packer));
    packer_deinit(&packer);
    history_writer_deinit(&writer);
}

static void test_classes(void **state)
{
    (void)state;
    static const struct {
        uint64_t age;
        uint8_t decade;
    } ages[] = {{1, 0},       {2, 1},       {10, 1},        {11, 2},     {100, 2},
                {101, 3},     {1000, 3},    {10000, 4},     {100000, 5}, {100001, 6},
                {1000000, 6}, {1000001, 7}, {UINT64_MAX, 7}};
    for (size_t i = 0; i < sizeof ages / sizeof *ages; i++)
        assert_int_equal(lifetime_of(ages[i].age, 0, 0).age, ages[i].decade);
    static const struct {
        uint32_t milliseconds;
        uint8_t decade;
    } times[] = {{0, 0},     {1, 1},      {9, 1},      {10, 2},      {99, 2},        {100, 3},
                 {99999, 5}, {100000, 6}, {999999, 6}, {1000000, 7}, {UINT32_MAX, 7}};
    for (size_t i = 0; i < sizeof times / sizeof *times; i++) {
        assert_int_equal(lifetime_of(1, 5, 5 + times[i].milliseconds).time, times[i].decade);
        assert_int_equal(lifetime_of(1, UINT32_MAX, UINT32_MAX + times[i].milliseconds).time,
                         times[i].decade);
    }
}

/* --- what is no event of memory --- */

/* A chunk of one event, with these bytes for its events; how many records were skipped, or -1. */
static int skipped(struct history_reader *reader, struct packer *packer, const void *events,
                   size_t size)
{
    static const uint8_t summary[] = {1, 0, 1, 2, 16, 1, 0, 0, 0, 0};
    const struct history_span span = {.events = 1};
    struct history_event event;
    const uint8_t *data;
    reader->skipped = 0;
    size_t packed = packer_pack(packer, summary, sizeof summary, &data);
    assert_true(history_reader_open(reader, &span, 1, data, packed));
    packed = packer_pack(packer, events, size, &data);
    assert_true(history_reader_begin(reader, data, packed));
    if (history_next(reader, &event) != HISTORY_EVENT ||
        history_next(reader, &event) != HISTORY_END)
        return -1;
    assert_int_equal(event.kind, HISTORY_ALLOCATION);
    assert_int_equal(event.pair->size, 16);
    return (int)reader->skipped;
}

#define SKIPPED(bytes) skipped(&reader, &packer, bytes, sizeof(bytes) - 1)
#define ESCAPE         "\x81\x80\x08"

static void test_records_of_kinds_to_come(void **state)
{
    (void)state;
    struct history_reader reader;
    struct packer packer;
    assert_true(history_reader_init(&reader) && packer_init(&packer));
    assert_int_equal(SKIPPED("\0"), 0);
    assert_int_equal(SKIPPED(ESCAPE "\7\3abc" ESCAPE "\1\0"
                                    "\0" ESCAPE "\xff\1\2xy"),
                     3);
    assert_int_equal(SKIPPED(ESCAPE "\7\4abc\0"), -1);      /* longer than there is */
    assert_int_equal(SKIPPED("\0" ESCAPE "\7\4abc"), -1);   /* the same at the end */
    assert_int_equal(SKIPPED("\0" ESCAPE "\7"), -1);        /* without a length */
    assert_int_equal(SKIPPED("\0" ESCAPE "\7\3abc\0"), -1); /* an event too many */
    packer_deinit(&packer);
    history_reader_deinit(&reader);
}

/* --- a random program --- */

#define BLOCKS   500u
#define EVENTS   400000u
#define COUNTERS 3000u

struct made_event {
    enum history_kind kind;
    uint64_t block, size, time_us;
    uint32_t counter;
};

struct made_block {
    uint64_t number, size;
    uint32_t counter, born_ms;
    bool live;
    struct lifetime lifetime;
};

struct maker {
    struct history_writer writer;
    struct packer packer;
    struct made_event *events; /* what is expected back */
    struct made_block blocks[BLOCKS];
    uint64_t state, allocations;
    struct lifetimes expected[COUNTERS], found[COUNTERS];
};

static uint32_t below(struct maker *maker, uint32_t limit)
{
    maker->state = maker->state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(maker->state >> 33) % limit;
}

static void expect_deaths(struct maker *maker, const struct made_block *block, int deaths)
{
    maker->expected[block->counter - 1].by_age[block->lifetime.age] += deaths;
    maker->expected[block->counter - 1].by_time[block->lifetime.time] += deaths;
}

static enum history_kind make_event(struct maker *maker, struct made_block *block)
{
    if (block->live) {
        block->live = false;
        block->lifetime = lifetime_of(maker->allocations - block->number, block->born_ms,
                                      (uint32_t)(maker->writer.now_us / 1000));
        expect_deaths(maker, block, 1);
        history_free(&maker->writer, block->number, block->counter, block->size, block->born_ms);
        return HISTORY_FREE;
    }
    if (block->counter && below(maker, 50) == 0) {
        block->live = true;
        expect_deaths(maker, block, -1);
        if (below(maker, 2))
            block->size = below(maker, 64); /* only a part of it lives on */
        history_restore(&maker->writer, block->number, block->counter, block->size,
                        block->lifetime);
        return HISTORY_RESTORE;
    }
    *block = (struct made_block){
        .number = maker->allocations++,
        .size = below(maker, 20) ? below(maker, 64) : (uint64_t)below(maker, 1u << 30) << 17,
        .counter = 1 + below(maker, below(maker, 2) ? 10 : COUNTERS),
        .born_ms = (uint32_t)(maker->writer.now_us / 1000),
        .live = true,
    };
    history_allocate(&maker->writer, history_pair(&maker->writer, block->counter, block->size));
    return HISTORY_ALLOCATION;
}

/* Reads a chunk back and compares; returns the events in it. */
static uint32_t check_chunk(struct maker *maker, struct history_reader *reader, uint64_t first)
{
    struct history_chunk *chunk = history_writer_finish(&maker->writer, &maker->packer);
    assert_non_null(chunk);
    assert_int_equal(chunk->span.first_event, first);
    assert_true(
        history_reader_open(reader, &chunk->span, COUNTERS, chunk->data, chunk->summary_size));
    assert_true(
        history_reader_begin(reader, chunk->data + chunk->summary_size, chunk->events_size));
    struct history_event event;
    uint32_t events = chunk->span.events;
    for (uint32_t i = 0; i < events; i++) {
        const struct made_event *made = &maker->events[first + i];
        assert_int_equal(history_next(reader, &event), HISTORY_EVENT);
        assert_int_equal(event.kind, made->kind);
        assert_int_equal(event.block, made->block);
        assert_int_equal(event.pair->size, made->size);
        assert_int_equal(event.pair->counter, made->counter);
        assert_int_equal(event.time_us, made->time_us);
    }
    assert_int_equal(history_next(reader, &event), HISTORY_END);
    const uint8_t *lifetimes = chunk->data + chunk->summary_size + chunk->events_size;
    assert_true(history_read_lifetimes(reader, lifetimes, chunk->lifetimes_size, maker->found));
    free(chunk);
    return events;
}

static void test_round_trip(void **state)
{
    (void)state;
    struct maker *maker = calloc(1, sizeof *maker);
    struct history_reader reader;
    maker->events = calloc(EVENTS, sizeof *maker->events);
    maker->state = 7;
    assert_true(history_writer_init(&maker->writer) && packer_init(&maker->packer) &&
                history_reader_init(&reader));
    uint64_t checked = 0;
    for (uint32_t i = 0; i < EVENTS; i++) {
        /* Once in a while the clock moves with nearly every event, or a chunk ends early. */
        if (below(maker, i / 50000 % 2 ? 2 : 1000) == 0)
            history_writer_set_time(&maker->writer,
                                    maker->writer.now_us + 1 + below(maker, 100000));
        if (history_writer_is_full(&maker->writer) || below(maker, 30000) == 0)
            checked += maker->writer.span.events ? check_chunk(maker, &reader, checked) : 0;
        struct made_block *block = &maker->blocks[below(maker, below(maker, 4) ? 5 : BLOCKS)];
        struct made_event *event = &maker->events[i];
        event->kind = make_event(maker, block);
        event->block = block->number;
        event->size = block->size;
        event->counter = block->counter;
        event->time_us = maker->writer.now_us;
    }
    checked += check_chunk(maker, &reader, checked);
    assert_int_equal(checked, EVENTS);
    assert_memory_equal(maker->found, maker->expected, sizeof maker->found);
    history_reader_deinit(&reader);
    packer_deinit(&maker->packer);
    history_writer_deinit(&maker->writer);
    free(maker->events);
    free(maker);
}

/* --- damage --- */

static bool opens(struct history_reader *reader, struct packer *packer, uint32_t events,
                  const char *summary, size_t size)
{
    const uint8_t *data;
    struct history_span span = {.first_event = 10, .events = events, .first_block = 5};
    size_t packed = packer_pack(packer, summary, size, &data);
    return history_reader_open(reader, &span, 9, data, packed);
}

#define OPENS(events, bytes) opens(&reader, &packer, events, bytes, sizeof(bytes) - 1)

static void test_summaries_that_cannot_be(void **state)
{
    (void)state;
    struct history_reader reader;
    struct packer packer;
    assert_true(history_reader_init(&reader) && packer_init(&packer));
    assert_true(OPENS(3, "\1\1\1\2\4\1\2\2\0\0\0\7"));
    assert_true(OPENS(3, "\1\1\2\2\4\1\2\2\0\0\0\7\2\1\3"));
    assert_false(OPENS(0, "\1\1\1\2\4\1\2\2\0\0\0\7"));       /* no events */
    assert_false(OPENS(65537, "\1\1\1\2\4\1\2\2\0\0\0\7"));   /* too many */
    assert_false(OPENS(3, "\4\1\1\2\4\1\2\2\0\0\0\7"));       /* more pairs than events */
    assert_false(OPENS(3, "\1\1\1\0\4\1\2\2\0\0\0\7"));       /* counter 0 */
    assert_false(OPENS(3, "\1\1\1\1\4\1\2\2\0\0\0\7"));       /* counter -1 */
    assert_false(OPENS(3, "\1\1\1\24\4\1\2\2\0\0\0\7"));      /* counter 10 of 9 */
    assert_false(OPENS(3, "\1\1\1\2\4\4\2\2\0\0\0\7"));       /* more blocks than events */
    assert_false(OPENS(3, "\1\1\1\2\4\1\2\0\0\0\0\7"));       /* frees a block of its own */
    assert_false(OPENS(3, "\1\1\1\2\4\1\2\14\0\0\0\7"));      /* a block before the first */
    assert_false(OPENS(3, "\1\1\1\2\4\1\2\2\2\0\0\7"));       /* a pair that is not there */
    assert_false(OPENS(3, "\1\1\0\2\4\1\2\2\0"));             /* no mark */
    assert_false(OPENS(3, "\1\1\1\2\4\1\2\2\0\1\0\7"));       /* none at the first event */
    assert_false(OPENS(3, "\1\1\2\2\4\1\2\2\0\0\0\7\0\0\1")); /* two for one event */
    assert_false(OPENS(3, "\1\1\2\2\4\1\2\2\0\0\0\7\3\0\1")); /* one after the last */
    assert_false(OPENS(3, "\1\1\2\2\4\1\2\2\0\0\0\7\1\2\1")); /* two blocks in one event */
    assert_false(OPENS(3, "\1\1\1\2\4\1\2\2\0\0\0\7\0"));     /* something left over */
    assert_false(OPENS(3, "\1\1\1\2\4\1\2\2\0\0\0"));         /* something missing */
    packer_deinit(&packer);
    history_reader_deinit(&reader);
}

static bool plays(struct history_reader *reader, struct packer *packer, const char *events,
                  size_t size)
{
    const uint8_t *data;
    struct history_event event;
    size_t packed = packer_pack(packer, events, size, &data);
    if (!history_reader_begin(reader, data, packed))
        return false;
    enum history_step step;
    while ((step = history_next(reader, &event)) == HISTORY_EVENT)
        ;
    return step == HISTORY_END;
}

#define PLAYS(bytes) plays(&reader, &packer, bytes, sizeof(bytes) - 1)

static void test_events_that_cannot_be(void **state)
{
    (void)state;
    struct history_reader reader;
    struct packer packer;
    assert_true(history_reader_init(&reader) && packer_init(&packer));
    assert_true(OPENS(3, "\1\1\1\2\4\1\2\2\0\0\0\7"));
    assert_true(PLAYS("\0\3\1"));
    assert_false(PLAYS("\2\3\1"));   /* a pair that is not there */
    assert_false(PLAYS("\0\5\1"));   /* a block that is not there */
    assert_false(PLAYS("\0\1\1"));   /* an exception too many */
    assert_false(PLAYS("\0\3\0"));   /* an exception too few */
    assert_false(PLAYS("\0\3\1\1")); /* something left over */
    assert_false(PLAYS("\0\3"));     /* something missing */
    /* An exception restores the chunk's own block. */
    assert_true(OPENS(3, "\1\1\1\2\4\1\0\0\1\0\0\7"));
    assert_true(PLAYS("\0\3\1"));
    assert_false(PLAYS("\1\0\3")); /* before it is there */
    packer_deinit(&packer);
    history_reader_deinit(&reader);
}

static bool lives(struct history_reader *reader, struct packer *packer, const char *lifetimes,
                  size_t size)
{
    struct lifetimes by_counter[9] = {0};
    const uint8_t *data;
    size_t packed = packer_pack(packer, lifetimes, size, &data);
    return history_read_lifetimes(reader, data, packed, by_counter);
}

#define LIVES(bytes) lives(&reader, &packer, bytes, sizeof(bytes) - 1)

static void test_lifetimes_that_cannot_be(void **state)
{
    (void)state;
    struct history_reader reader;
    struct packer packer;
    assert_true(history_reader_init(&reader) && packer_init(&packer));
    /* One pair that frees two blocks. */
    assert_true(OPENS(3, "\1\0\1\2\4\1\4\0\0\7"));
    assert_true(LIVES("\201\2\4\4"));
    assert_true(LIVES("\201\6\4\2\2"));
    assert_false(LIVES("\201\2\2\4"));         /* one too few by age */
    assert_false(LIVES("\201\2\4\6"));         /* one too many by time */
    assert_false(LIVES("\1\4"));               /* none by time */
    assert_false(LIVES("\201\202\4\4\4"));     /* a class that does not exist */
    assert_false(LIVES("\201\2\4\4\0"));       /* something left over */
    assert_false(LIVES("\201\2\4"));           /* something missing */
    assert_false(LIVES("\201\6\377\1\4\2\2")); /* more than there are events */
    packer_deinit(&packer);
    history_reader_deinit(&reader);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bytes),
        cmocka_unit_test(test_classes),
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_records_of_kinds_to_come),
        cmocka_unit_test(test_summaries_that_cannot_be),
        cmocka_unit_test(test_events_that_cannot_be),
        cmocka_unit_test(test_lifetimes_that_cannot_be),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
