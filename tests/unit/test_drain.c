/*
 * The order in which the streams of several processes are read, and the peak of their sum: which it
 * is, when, and where each process stood.
 */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "unit.h"

#include "collector/book/run_peak.h"
#include "collector/stream/drain.h"
#include "stream.h"

#define RING_LOG2    14
#define MILLISECONDS UINT64_C(1000000)
#define COUNT        3

/* Three processes of one run; the third is one that can be killed. */
struct fixture {
    struct stream streams[COUNT];
    struct process *processes[COUNT];
    struct drain drain;
    uint64_t start; /* later than the processes' own beginning */
    pid_t mortal;
};

static int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    fixture->mortal = fork();
    if (fixture->mortal == 0) {
        for (;;)
            pause();
    }
    stream_init(&fixture->streams[0], RING_LOG2, true);
    stream_init_beside(&fixture->streams[1], &fixture->streams[0], getpid());
    stream_init_beside(&fixture->streams[2], &fixture->streams[0], fixture->mortal);
    for (uint32_t i = 0; i < COUNT; i++) {
        fixture->processes[i] = fixture->streams[i].process;
        fixture->processes[i]->peer.number = i + 1;
    }
    drain_init(&fixture->drain, &fixture->streams[0].run);
    fixture->start = fixture->processes[COUNT - 1]->mirror.now_ns + MILLISECONDS;
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    kill(fixture->mortal, SIGKILL);
    waitpid(fixture->mortal, NULL, 0);
    for (unsigned i = COUNT; i-- > 0;)
        stream_deinit(&fixture->streams[i]);
    free(fixture);
    return 0;
}

/* The stream's time becomes so many milliseconds. */
static void at(struct fixture *fixture, unsigned stream, uint64_t ms)
{
    stream_time(&fixture->streams[stream], fixture->start + ms * MILLISECONDS);
}

static void allocate(struct fixture *fixture, unsigned stream, uint64_t address, uint64_t size)
{
    stream_bare_allocation(&fixture->streams[stream], address, size);
}

static void deallocate(struct fixture *fixture, unsigned stream, uint64_t address)
{
    stream_free(&fixture->streams[stream], address);
}

/* Publishes all and reads one round of the first `count` processes. */
static uint64_t drain(struct fixture *fixture, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        stream_publish(&fixture->streams[i]);
    return drain_round(&fixture->drain, fixture->processes, count, fixture->start);
}

static void assert_peak(struct fixture *fixture, uint64_t bytes, uint64_t blocks, uint64_t ms)
{
    const struct run *run = fixture->drain.run;
    assert_int_equal(run->ledger.peak.bytes, bytes);
    assert_int_equal(run->ledger.peak.blocks, blocks);
    assert_true(run->ledger.peak.time == run_seconds(run, fixture->start + ms * MILLISECONDS));
}

/* Where a process that has not left stood at the peak. */
static void assert_position(struct fixture *fixture, unsigned number, uint64_t events,
                            uint64_t bytes, uint64_t blocks)
{
    struct process *process = fixture->processes[number];
    run_peak_settle(&fixture->drain.run->ledger, &process->book);
    assert_true(process->book.positions.peak.lived);
    assert_int_equal(process->book.positions.peak.events, events);
    assert_int_equal(process->book.positions.peak.bytes, bytes);
    assert_int_equal(process->book.positions.peak.blocks, blocks);
}

static void test_one_is_its_own_peak(void **state)
{
    struct fixture *fixture = *state;
    const struct heap_sums *sums = &fixture->processes[0]->book.sums;
    at(fixture, 0, 1);
    allocate(fixture, 0, 0x10, 100);
    allocate(fixture, 0, 0x20, 1);
    deallocate(fixture, 0, 0x10);
    at(fixture, 0, 2);
    allocate(fixture, 0, 0x10, 100); /* the same again is no new peak */
    drain(fixture, 1);
    assert_peak(fixture, 101, 2, 1);
    assert_position(fixture, 0, 2, 101, 2);
    assert_int_equal(sums->peak.bytes, 101);
    assert_int_equal(sums->peak.events, 2);
    at(fixture, 0, 3);
    allocate(fixture, 0, 0x30, 1);
    drain(fixture, 1);
    assert_peak(fixture, 102, 3, 3);
    assert_position(fixture, 0, 5, 102, 3);
}

/* Whichever came first, the other one's peak at another time is not added. */
static void test_in_the_order_of_time(void **state)
{
    struct fixture *fixture = *state;
    at(fixture, 0, 1);
    allocate(fixture, 0, 0x10, 100);
    at(fixture, 0, 3);
    deallocate(fixture, 0, 0x10);
    allocate(fixture, 0, 0x10, 5);
    at(fixture, 1, 2);
    allocate(fixture, 1, 0x10, 10);
    deallocate(fixture, 1, 0x10);
    at(fixture, 1, 4);
    allocate(fixture, 1, 0x10, 90);
    drain(fixture, 2);
    assert_peak(fixture, 110, 2, 2);
    assert_position(fixture, 0, 1, 100, 1);
    assert_position(fixture, 1, 1, 10, 1);
    assert_int_equal(fixture->processes[1]->book.sums.peak.bytes, 90);
    assert_int_equal(fixture->drain.run->ledger.peak.live_bytes, 95);
    assert_int_equal(fixture->drain.run->ledger.peak.live_blocks, 2);
}

/* The later process is the one that comes first in the list. */
static void test_overlapping(void **state)
{
    struct fixture *fixture = *state;
    at(fixture, 1, 1);
    allocate(fixture, 1, 0x10, 100);
    at(fixture, 1, 5);
    deallocate(fixture, 1, 0x10);
    at(fixture, 0, 2);
    allocate(fixture, 0, 0x10, 70);
    at(fixture, 0, 4);
    deallocate(fixture, 0, 0x10);
    at(fixture, 2, 3);
    allocate(fixture, 2, 0x10, 1);
    allocate(fixture, 2, 0x20, 1);
    deallocate(fixture, 2, 0x20);
    drain(fixture, 3);
    assert_peak(fixture, 172, 4, 3);
    assert_position(fixture, 0, 1, 70, 1);
    assert_position(fixture, 1, 1, 100, 1);
    assert_position(fixture, 2, 2, 2, 2);
}

static void test_first_of_two_equal_peaks(void **state)
{
    struct fixture *fixture = *state;
    for (uint64_t ms = 1; ms < 9; ms += 4) {
        at(fixture, 0, ms);
        allocate(fixture, 0, 0x10, 100);
        at(fixture, 1, ms + 1);
        allocate(fixture, 1, 0x10, 50);
        at(fixture, 0, ms + 2);
        deallocate(fixture, 0, 0x10);
        at(fixture, 1, ms + 3);
        deallocate(fixture, 1, 0x10);
    }
    drain(fixture, 2);
    assert_peak(fixture, 150, 2, 2);
    assert_position(fixture, 0, 1, 100, 1);
    assert_position(fixture, 1, 1, 50, 1);
}

/* A backlog of one, while the other waits for its end and then allocates. */
static void test_backlog(void **state)
{
    struct fixture *fixture = *state;
    enum { BLOCKS = 4000 };
    at(fixture, 1, 1);
    allocate(fixture, 1, 0x10, 1000000);
    for (uint64_t i = 1; i <= BLOCKS; i++) {
        if (i % 100 == 0)
            at(fixture, 1, 1 + i / 100);
        allocate(fixture, 1, 0x10 + i * 16, 1);
        deallocate(fixture, 1, 0x10 + i * 16);
    }
    deallocate(fixture, 1, 0x10);
    at(fixture, 0, 60);
    allocate(fixture, 0, 0x10, 900000);
    drain(fixture, 2);
    assert_peak(fixture, 1000001, 2, 1);
    assert_position(fixture, 0, 0, 0, 0);
    assert_position(fixture, 1, 2, 1000001, 2);
    assert_int_equal(fixture->processes[1]->book.sums.events, 2 + 2 * BLOCKS);
}

/* While the clock stands still, what was published before a cut came before the rest. */
static void test_cuts(void **state)
{
    struct fixture *fixture = *state;
    at(fixture, 0, 1);
    at(fixture, 1, 1);
    allocate(fixture, 0, 0x10, 100);
    drain(fixture, 2);
    deallocate(fixture, 0, 0x10);
    drain(fixture, 2);
    allocate(fixture, 1, 0x10, 90);
    drain(fixture, 2);
    deallocate(fixture, 1, 0x10);
    drain(fixture, 2);
    allocate(fixture, 0, 0x10, 80);
    drain(fixture, 2);
    assert_peak(fixture, 100, 1, 1);
    assert_position(fixture, 1, 0, 0, 0);
}

static void test_what_is_published_later_waits(void **state)
{
    struct fixture *fixture = *state;
    at(fixture, 0, 1);
    allocate(fixture, 0, 0x10, 1);
    stream_publish(&fixture->streams[0]);
    allocate(fixture, 0, 0x20, 1); /* written, and the head is not yet there */
    drain_to_now(&fixture->drain, fixture->processes, 2);
    assert_int_equal(fixture->processes[0]->book.sums.events, 1);
    drain(fixture, 2);
    assert_int_equal(fixture->processes[0]->book.sums.events, 2);
}

/* A stream with a hole, or with a time from another world, holds nobody back. */
static void test_holes_and_lies(void **state)
{
    struct fixture *fixture = *state;
    at(fixture, 0, 1);
    allocate(fixture, 0, 0x10, 1);
    fixture->streams[0].position += 2; /* reserved, not yet published */
    allocate(fixture, 0, 0x20, 1);
    at(fixture, 1, 9);
    allocate(fixture, 1, 0x10, 1);
    stream_time(&fixture->streams[2], WIRE_TIME_MASK);
    allocate(fixture, 2, 0x10, 1);
    stream_time(&fixture->streams[2], 0);
    allocate(fixture, 2, 0x20, 1);
    drain(fixture, 3);
    assert_int_equal(fixture->processes[0]->book.sums.events, 1);
    assert_int_equal(fixture->processes[1]->book.sums.events, 1);
    assert_int_equal(fixture->processes[2]->book.sums.events, 2);
    /* A head that cannot be. */
    allocate(fixture, 2, 0x30, 1);
    atomic_store(&fixture->processes[2]->ring.writers->head, 3);
    drain_round(&fixture->drain, fixture->processes, 3, fixture->start);
    assert_int_equal(fixture->processes[2]->book.sums.events, 3);
    drain_to_end(&fixture->drain, fixture->processes[0], false);
    assert_int_equal(fixture->processes[0]->book.sums.events, 2);
}

static void kill_the_mortal(struct fixture *fixture)
{
    siginfo_t info;
    kill(fixture->mortal, SIGKILL);
    assert_int_equal(waitid(P_PID, (id_t)fixture->mortal, &info, WEXITED | WNOWAIT), 0);
}

/* As drain(), of what the first has written, so many seconds later. */
static uint64_t drain_after(struct fixture *fixture, unsigned count, uint64_t seconds)
{
    stream_publish(&fixture->streams[0]);
    return drain_round(&fixture->drain, fixture->processes, count,
                       fixture->start + seconds * 1000 * MILLISECONDS);
}

/* One wait is for all holes that are as old; a younger one has its own. */
static void test_holes_are_waited_for_together(void **state)
{
    struct fixture *fixture = *state;
    struct stream *stream = &fixture->streams[0];
    const struct heap_sums *sums = &fixture->processes[0]->book.sums;
    for (unsigned count = 1; count <= 2; count++) {
        uint64_t before = sums->allocations, start = count * 100;
        for (uint64_t i = 0; i < 3; i++) {
            stream->position += 2;
            allocate(fixture, 0, start * 0x10000 + i * 16, 1);
        }
        assert_int_equal(drain_after(fixture, count, start), 0);
        stream->position += 2; /* while the others are waited for */
        allocate(fixture, 0, start * 0x10000 + 0x1000, 1);
        assert_int_equal(drain_after(fixture, count, start + 2), 0);
        assert_int_equal(sums->allocations, before);
        while (drain_after(fixture, count, start + 3))
            ;
        assert_int_equal(sums->allocations, before + 3);
        allocate(fixture, 0, start * 0x10000 + 0x2000, 1);
        assert_int_equal(drain_after(fixture, count, start + 5), 0);
        while (drain_after(fixture, count, start + 6))
            ;
        assert_int_equal(sums->allocations, before + 5);
    }
}

/* A ring that was full already when the wait for its hole began: its head cannot move, and whether
 * it should is known by those who wait for room. */
static void test_a_hole_in_a_full_ring(void **state)
{
    struct fixture *fixture = *state;
    struct stream *stream = &fixture->streams[0];
    struct process *process = fixture->processes[0];
    const struct heap_sums *sums = &process->book.sums;
    uint64_t capacity = process->ring.mask + 1;
    for (unsigned count = 1; count <= 2; count++) {
        uint64_t before = sums->allocations, end = stream->position + capacity, start = count * 100;
        stream->position += 2; /* reserved, not yet published */
        for (uint64_t address = start * 0x1000000; stream->position < end; address += 16)
            allocate(fixture, 0, address, 1);
        atomic_store(&process->ring.writers->writers_wait, 1);
        assert_int_equal(drain_after(fixture, count, start), 0);
        assert_int_equal(drain_after(fixture, count, start + 2), 0);
        /* While it holds nobody up, the writer may take its time. */
        atomic_store(&process->ring.writers->writers_wait, 0);
        assert_int_equal(drain_after(fixture, count, start + 3), 0);
        atomic_store(&process->ring.writers->writers_wait, 1);
        assert_int_equal(drain_after(fixture, count, start + 3), 2);
        while (drain_after(fixture, count, start + 3))
            ;
        assert_int_equal(sums->allocations, before + (capacity - 2) / 2);
        assert_int_equal(process->ring.position, end);
    }
}

/* Who waits for the end of another process does not have that one's memory beside its own. */
static void test_relay(void **state)
{
    struct fixture *fixture = *state;
    at(fixture, 2, 1);
    allocate(fixture, 2, 0x10, 100);
    drain(fixture, 3);
    kill_the_mortal(fixture);
    at(fixture, 0, 2);
    allocate(fixture, 0, 0x10, 90);
    drain(fixture, 3);
    assert_peak(fixture, 100, 1, 1);
    assert_int_equal(fixture->drain.run->ledger.peak.live_bytes, 90);
    /* Where it stood then is kept. */
    assert_true(fixture->processes[2]->book.has_left);
    assert_int_equal(fixture->drain.run->ledger.peak.left_count, 1);
    const struct peak_position *left = fixture->drain.run->ledger.peak.left.data;
    assert_int_equal(left->process, 3);
    assert_int_equal(left->events, 1);
    assert_int_equal(left->bytes, 100);
    /* At a later peak it has no part. */
    allocate(fixture, 0, 0x20, 20);
    drain(fixture, 3);
    assert_peak(fixture, 110, 2, 2);
    assert_int_equal(fixture->drain.run->ledger.peak.left_count, 0);
}

/* Its last words count at their time, although it is dead when they are read; a hole among them is
 * a record that it never finished. */
static void test_last_words(void **state)
{
    struct fixture *fixture = *state;
    at(fixture, 2, 2);
    allocate(fixture, 2, 0x10, 100);
    fixture->streams[2].position += 3;
    at(fixture, 2, 4);
    allocate(fixture, 2, 0x20, 1);
    at(fixture, 0, 3);
    allocate(fixture, 0, 0x10, 50);
    at(fixture, 0, 5);
    allocate(fixture, 0, 0x20, 60);
    kill_the_mortal(fixture);
    drain(fixture, 3);
    assert_peak(fixture, 151, 3, 4);
    assert_position(fixture, 0, 1, 50, 1);
    assert_int_equal(fixture->drain.run->ledger.peak.live_bytes, 110);
    assert_true(fixture->processes[2]->book.has_left);
    drain_to_end(&fixture->drain, fixture->processes[2], false);
    assert_int_equal(fixture->drain.run->ledger.peak.left_count, 1);
}

/* Somebody writes on into a ring while it is read to its end: what stood in it when that began is
 * read, and no more. */
static void test_the_end_is_where_it_stands(void **state)
{
    struct fixture *fixture = *state;
    struct process *process = fixture->processes[0];
    allocate(fixture, 0, 0x10, 100);
    stream_publish(&fixture->streams[0]);
    uint64_t published = fixture->streams[0].position;
    allocate(fixture, 0, 0x20, 100); /* its words are there, and not published by the head */
    drain_to_end(&fixture->drain, process, true);
    assert_int_equal(process->ring.position, published);
    assert_int_equal(process->book.sums.allocations, 1);
}

/* A head that cannot be is no reason to read more than the ring holds. */
static void test_the_end_of_a_head_that_lies(void **state)
{
    struct fixture *fixture = *state;
    struct process *process = fixture->processes[0];
    uint64_t capacity = UINT64_C(1) << process->ring.log2_words;
    while (fixture->streams[0].position < capacity)
        deallocate(fixture, 0, 0x10);
    atomic_store(&process->ring.writers->head, UINT64_MAX);
    drain_to_end(&fixture->drain, process, false);
    assert_int_equal(process->ring.position, capacity);
}

/* Who comes later was not there. */
static void test_a_late_process(void **state)
{
    struct fixture *fixture = *state;
    at(fixture, 0, 1);
    allocate(fixture, 0, 0x10, 100);
    drain(fixture, 1);
    run_peak_join(&fixture->drain.run->ledger, &fixture->processes[1]->book);
    at(fixture, 1, 2);
    at(fixture, 0, 2);
    deallocate(fixture, 0, 0x10);
    at(fixture, 1, 3);
    allocate(fixture, 1, 0x10, 99);
    drain(fixture, 2);
    run_peak_settle(&fixture->drain.run->ledger, &fixture->processes[1]->book);
    assert_false(fixture->processes[1]->book.positions.peak.lived);
    allocate(fixture, 1, 0x20, 2);
    drain(fixture, 2);
    assert_peak(fixture, 101, 2, 3);
    assert_position(fixture, 0, 2, 0, 0);
    assert_position(fixture, 1, 2, 101, 2);
}

static void send_realloc(struct fixture *fixture, unsigned stream, enum wire_kind kind,
                         uint64_t address)
{
    stream_put(&fixture->streams[stream], wire_first(kind) | address);
}

/* A block that a failed realloc brings back was there all the time. */
static void test_a_failed_realloc_between(void **state)
{
    struct fixture *fixture = *state;
    at(fixture, 0, 1);
    at(fixture, 1, 1);
    allocate(fixture, 0, 0x10, 100);
    send_realloc(fixture, 0, WIRE_REALLOC_FREE, 0x10);
    drain(fixture, 2);
    allocate(fixture, 1, 0x10, 50);
    drain(fixture, 2);
    assert_peak(fixture, 100, 1, 1);
    send_realloc(fixture, 0, WIRE_REALLOC_FAILED, 0x10);
    drain(fixture, 2);
    assert_peak(fixture, 150, 2, 1);
    assert_position(fixture, 0, 3, 100, 1);
    assert_position(fixture, 1, 1, 50, 1);
}

/* --- against a model --- */

enum { BLOCKS = 64, EVENTS = 20000 };

/* What has happened, in the order of time. */
struct model {
    uint64_t sizes[COUNT][BLOCKS];
    uint64_t bytes[COUNT], events[COUNT], total;
    uint64_t peak, peak_bytes[COUNT], peak_events[COUNT];
    uint32_t random;
};

static uint32_t draw(struct model *model, uint32_t below)
{
    model->random = model->random * 1664525u + 1013904223u;
    return (model->random >> 8) % below;
}

static void make_event(struct fixture *fixture, struct model *model, unsigned stream)
{
    unsigned block = draw(model, BLOCKS);
    uint64_t *size = &model->sizes[stream][block], address = (block + 1) * 16u;
    model->events[stream]++;
    if (*size) {
        deallocate(fixture, stream, address);
        model->bytes[stream] -= *size;
        model->total -= *size;
        *size = 0;
        return;
    }
    *size = 1 + draw(model, 3000);
    allocate(fixture, stream, address, *size);
    model->bytes[stream] += *size;
    model->total += *size;
    if (model->total <= model->peak)
        return;
    model->peak = model->total;
    memcpy(model->peak_bytes, model->bytes, sizeof model->bytes);
    memcpy(model->peak_events, model->events, sizeof model->events);
}

/* Each event at a time of its own, of processes that take turns at random; what is published when
 * differs from stream to stream, as long as what comes before a cut was earlier. */
static void test_random_against_model(void **state)
{
    struct fixture *fixture = *state;
    struct model model = {.random = 4711};
    for (unsigned event = 0; event < EVENTS; event++) {
        unsigned stream = draw(&model, COUNT), repeat = 1 + draw(&model, 4);
        at(fixture, stream, event);
        while (repeat--)
            make_event(fixture, &model, stream);
        if (draw(&model, 700) == 0)
            drain(fixture, COUNT);
    }
    drain_to_now(&fixture->drain, fixture->processes, COUNT);
    drain(fixture, COUNT);
    assert_int_equal(fixture->drain.run->ledger.peak.bytes, model.peak);
    assert_int_equal(fixture->drain.run->ledger.peak.live_bytes, model.total);
    for (unsigned i = 0; i < COUNT; i++) {
        run_peak_settle(&fixture->drain.run->ledger, &fixture->processes[i]->book);
        assert_int_equal(fixture->processes[i]->book.positions.peak.events, model.peak_events[i]);
        assert_int_equal(fixture->processes[i]->book.positions.peak.bytes, model.peak_bytes[i]);
        assert_int_equal(process_lost(fixture->processes[i]), 0);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_one_is_its_own_peak),
        TEST(test_in_the_order_of_time),
        TEST(test_overlapping),
        TEST(test_first_of_two_equal_peaks),
        TEST(test_backlog),
        TEST(test_cuts),
        TEST(test_what_is_published_later_waits),
        TEST(test_holes_and_lies),
        TEST(test_holes_are_waited_for_together),
        TEST(test_a_hole_in_a_full_ring),
        TEST(test_relay),
        TEST(test_last_words),
        TEST(test_the_end_is_where_it_stands),
        TEST(test_the_end_of_a_head_that_lies),
        TEST(test_a_late_process),
        TEST(test_a_failed_realloc_between),
        TEST(test_random_against_model),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
