/*
 * From words to counts: the live heap, the tree, the peak with its composition, and what the
 * decoder makes of words that no shim would send.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "unit.h"

#include "collector/base/clock.h"
#include "collector/store/recording_writer.h"
#include "collector/stream/decode.h"
#include "stream.h"

#define RING_LOG2 14

static struct stream *fresh(void **state)
{
    struct stream *stream = *state;
    return stream;
}

static int set_up(void **state)
{
    struct stream *stream = malloc(sizeof *stream);
    stream_init(stream, RING_LOG2, true);
    *state = stream;
    return 0;
}

static int tear_down(void **state)
{
    stream_deinit(*state);
    free(*state);
    return 0;
}

/* What the peak holds of blocks allocated at a line (0: without a stack). */
static uint64_t peak_at_line(struct stream *stream, int line)
{
    uint64_t bytes = 0;
    for (uint32_t i = 1; i < stream->process->book.counters.count; i++) {
        struct counter *counter = counters_at(&stream->process->book.counters, i);
        uint32_t location = stack_tree_node(&stream->run.stacks.tree, counter->node)->location;
        counter_settle(counter, &stream->process->book.sums);
        if ((location ? codes_location(&stream->run.stacks.codes, location)->line : 0) == line)
            bytes += counter->peak_bytes;
    }
    return bytes;
}

static void test_counts(void **state)
{
    struct stream *stream = fresh(state);
    const struct heap_sums *sums = &stream->process->book.sums;
    stream_bare_allocation(stream, 0x1000, 10);
    stream_bare_allocation(stream, 0x2000, (UINT64_C(1) << 32) + 5);
    stream_free(stream, 0x1000);
    stream_free(stream, 0x3000);
    stream_decode(stream);
    assert_int_equal(sums->allocations, 2);
    assert_int_equal(sums->frees, 1);
    assert_int_equal(sums->bytes, (UINT64_C(1) << 32) + 5);
    assert_int_equal(sums->blocks, 1);
    assert_int_equal(sums->peak.bytes, (UINT64_C(1) << 32) + 15);
    assert_int_equal(sums->peak.blocks, 2);
    assert_int_equal(stream->process->book.unmatched_frees, 1);
    assert_int_equal(process_lost(stream->process), 0);
}

static void test_first_of_two_equal_peaks(void **state)
{
    struct stream *stream = fresh(state);
    stream_code(stream, 2, "/a.py", "f", 100);
    stream_frame(stream, 0, 2, 1);
    stream_allocation(stream, 0, 0x1000, 50);
    stream_free(stream, 0x1000);
    stream_frame(stream, 0, 2, 2);
    stream_allocation(stream, 0, 0x1000, 50);
    stream_free(stream, 0x1000);
    stream_decode(stream);
    assert_int_equal(peak_at_line(stream, 101), 50);
    assert_int_equal(peak_at_line(stream, 102), 0);
}

static void test_peak_at_last_event(void **state)
{
    struct stream *stream = fresh(state);
    stream_code(stream, 2, "/a.py", "f", 100);
    stream_frame(stream, 0, 2, 1);
    stream_allocation(stream, 0, 0x1000, 50);
    stream_frame(stream, 0, 2, 2);
    stream_allocation(stream, 0, 0x2000, 1);
    stream_decode(stream);
    assert_int_equal(peak_at_line(stream, 101), 50);
    assert_int_equal(peak_at_line(stream, 102), 1);
}

static void send_realloc(struct stream *stream, enum wire_kind kind, uint64_t address)
{
    stream_put(stream, wire_first(kind) | UINT64_C(3) << WIRE_REALLOC_THREAD_SHIFT | address);
}

static void test_failed_realloc_changes_nothing(void **state)
{
    struct stream *stream = fresh(state);
    const struct heap_sums *sums = &stream->process->book.sums;
    stream_bare_allocation(stream, 0x1000, 10);
    send_realloc(stream, WIRE_REALLOC_FREE, 0x1000);
    stream_decode(stream);
    assert_int_equal(sums->bytes, 0);
    send_realloc(stream, WIRE_REALLOC_FAILED, 0x1000);
    send_realloc(stream, WIRE_REALLOC_FREE, 0x9000);
    send_realloc(stream, WIRE_REALLOC_FAILED, 0x9000);
    stream_decode(stream);
    assert_int_equal(sums->bytes, 10);
    assert_int_equal(sums->frees, 0);
    assert_int_equal(stream->process->book.unmatched_frees, 0);
    stream_free(stream, 0x1000);
    stream_decode(stream);
    assert_int_equal(sums->blocks, 0);
    /* Without the free that it belongs to it is refused. */
    send_realloc(stream, WIRE_REALLOC_FAILED, 0x1000);
    stream_decode(stream);
    assert_int_equal(process_lost(stream->process), 1);
}

/* Nor what another thread allocates meanwhile: the block was there beside it. */
static void test_failed_realloc_at_the_peak(void **state)
{
    struct stream *stream = fresh(state);
    const struct heap_sums *sums = &stream->process->book.sums;
    stream_bare_allocation(stream, 0x1000, 10);
    send_realloc(stream, WIRE_REALLOC_FREE, 0x1000);
    stream_bare_allocation(stream, 0x2000, 7);
    send_realloc(stream, WIRE_REALLOC_FAILED, 0x1000);
    stream_decode(stream);
    assert_int_equal(sums->peak.bytes, 17);
    assert_int_equal(sums->peak.blocks, 2);
    assert_int_equal(sums->peak.events, 4);
    assert_int_equal(sums->most, 17);
    assert_int_equal(peak_at_line(stream, 0), 17);
    assert_int_equal(stream->run.ledger.peak.bytes, 17);
}

/* A model beside the collector: random allocations and frees, peak by line. */
static void test_random_against_model(void **state)
{
    enum { BLOCKS = 512, LINES = 20, EVENTS = 60000 };
    struct stream *stream = fresh(state);
    uint64_t sizes[BLOCKS] = {0}, live[LINES] = {0}, peak[LINES] = {0}, total = 0, most = 0;
    int lines[BLOCKS];
    uint32_t random = 12345;
    stream_code(stream, 2, "/a.py", "f", 1);
    for (int event = 0; event < EVENTS; event++) {
        random = random * 1664525u + 1013904223u;
        unsigned block = random >> 8 & (BLOCKS - 1);
        if (sizes[block]) {
            stream_free(stream, (block + 1) * 16);
            live[lines[block]] -= sizes[block];
            total -= sizes[block];
            sizes[block] = 0;
        } else {
            lines[block] = (int)(random >> 20) % LINES;
            sizes[block] = 1 + random % 3000;
            stream_frame(stream, 0, 2, (uint32_t)lines[block]);
            stream_allocation(stream, 0, (block + 1) * 16, sizes[block]);
            live[lines[block]] += sizes[block];
            total += sizes[block];
        }
        if (total > most) {
            most = total;
            memcpy(peak, live, sizeof peak);
        }
        stream_decode(stream);
    }
    assert_int_equal(stream->process->book.sums.peak.bytes, most);
    assert_int_equal(stream->process->book.sums.bytes, total);
    assert_int_equal(process_lost(stream->process), 0);
    for (int line = 0; line < LINES; line++)
        assert_int_equal(peak_at_line(stream, line + 1), peak[line]);
}

static void test_live_heap_grows_and_empties(void **state)
{
    struct live_heap heap;
    struct block block = {0};
    (void)state;
    assert_true(live_heap_init(&heap));
    for (uint64_t i = 1; i <= 100000; i++)
        assert_true(live_heap_add(
            &heap,
            &(struct block){.address = i * 4096, .size_and_born = i, .counter = (uint32_t)i}));
    assert_true(heap.blocks_used * sizeof block + heap.buckets.bytes <= 100000 * 40);
    for (uint64_t i = 100000; i >= 1; i--) {
        assert_true(live_heap_remove(&heap, i * 4096, &block));
        assert_int_equal(block_size(&block), i);
        assert_int_equal(block.counter, i);
        assert_false(live_heap_remove(&heap, i * 4096, &block));
    }
    assert_int_equal(heap.live, 0);
    live_heap_deinit(&heap);
}

static void test_tree_finds_what_it_made(void **state)
{
    struct stack_tree tree;
    (void)state;
    assert_true(stack_tree_init(&tree));
    uint32_t nodes[300][30];
    for (uint32_t i = 0; i < 300; i++)
        for (uint32_t parent = 0, j = 0; j < 30; j++)
            parent = nodes[i][j] = stack_tree_child(&tree, parent, i * 100 + j + 1);
    assert_int_equal(tree.count, 1 + 300 * 30);
    for (uint32_t i = 0; i < 300; i++)
        for (uint32_t parent = 0, j = 0; j < 30; j++) {
            assert_int_equal(stack_tree_child(&tree, parent, i * 100 + j + 1), nodes[i][j]);
            assert_true(stack_tree_node(&tree, nodes[i][j])->parent == parent);
            parent = nodes[i][j];
        }
    stack_tree_deinit(&tree);
}

/* A line that many threads run: each (node, thread, allocator, size class) has one counter. */
static void test_counters_of_many_threads(void **state)
{
    enum { NODES = 3, THREADS = 2000, CLASSES = 3 };
    static uint32_t numbers[NODES][THREADS][CLASSES];
    struct counters counters = {0};
    (void)state;
    for (uint32_t node = 0; node < NODES; node++)
        for (uint32_t thread = 0; thread < THREADS; thread++)
            for (uint8_t size_class = 0; size_class < CLASSES; size_class++)
                numbers[node][thread][size_class] =
                    counters_find(&counters, node, thread, 0, size_class);
    assert_int_equal(counters.count, 1 + NODES * THREADS * CLASSES);
    for (uint32_t node = 0; node < NODES; node++)
        for (uint32_t thread = 0; thread < THREADS; thread++)
            for (uint8_t size_class = 0; size_class < CLASSES; size_class++) {
                uint32_t number = counters_find(&counters, node, thread, 0, size_class);
                const struct counter *counter = counters_at(&counters, number);
                assert_int_equal(number, numbers[node][thread][size_class]);
                assert_true(counter->node == node && counter->thread == thread &&
                            counter->size_class == size_class);
            }
    assert_int_equal(counters.count, 1 + NODES * THREADS * CLASSES);
    assert_int_not_equal(counters_find(&counters, 1, 1, 1, 1), numbers[1][1][1]);
    counters_deinit(&counters);
}

static struct stream *stream_of_history(void)
{
    static struct stream stream;
    stream_init(&stream, 16, true);
    return &stream;
}

/* More kinds of allocation than are remembered, in turns of different lengths, and over the ends of
 * several chunks of history: of each as much is counted, and kept, as there was. */
static void test_kinds_in_turn(void **state)
{
    enum { SIZES = 1500, TURNS = 120, LEFT = 3 };
    struct stream *stream = stream_of_history();
    uint64_t bytes = 0, allocations = 0;
    (void)state;
    for (unsigned turn = 0; turn < TURNS; turn++) {
        /* Few kinds often, then many once. */
        unsigned kinds = turn % 4 ? 7 : SIZES, times = turn % 4 ? 200 : 1;
        for (unsigned i = 0; i < kinds * times; i++, allocations++) {
            uint64_t size = i % kinds + 1, address = (allocations + 1) << 4;
            stream_bare_allocation(stream, address, size);
            if (i / kinds < LEFT)
                bytes += size;
            else
                stream_free(stream, address);
            if (i % 512 == 0)
                stream_decode(stream);
        }
    }
    stream_decode(stream);
    const struct book *book = &stream->process->book;
    assert_true(allocations > 2 * HISTORY_EVENTS_MAX);
    assert_int_equal(process_lost(stream->process), 0);
    assert_int_equal(book->sums.allocations, allocations);
    assert_int_equal(book->sums.bytes, bytes);
    stream_check_sums(stream);
    stream_check_history(stream);
    stream_deinit(stream);
}

static void test_stale_levels_count_again(void **state)
{
    struct stream *stream = fresh(state);
    stream_code(stream, 2, "/a.py", "f", 1);
    stream_put(stream, wire_first(WIRE_STACK) | UINT64_C(2) << WIRE_STACK_COUNT_SHIFT | 2);
    stream_put(stream, UINT64_C(2) << WIRE_CODE_SHIFT | 4);
    stream_put(stream, UINT64_C(2) << WIRE_CODE_SHIFT | 5);
    stream_allocation(stream, 0, 0x10, 1);
    /* Depth 1, and back to 2: the second level is what it was. */
    for (int change = -1; change <= 1; change += 2) {
        stream_put(stream, wire_first(WIRE_ALLOCATION) |
                               (uint64_t)(WIRE_DEPTH_CHANGE_BIAS + change)
                                   << WIRE_DEPTH_CHANGE_SHIFT |
                               (uint64_t)(0x30 + change * 16));
        stream_put(stream, UINT64_C(1) << WIRE_SIZE_SHIFT);
    }
    stream_decode(stream);
    assert_int_equal(process_lost(stream->process), 0);
    assert_int_equal(stream->run.stacks.tree.count, 3);
    assert_int_equal(peak_at_line(stream, 5), 1);
    assert_int_equal(peak_at_line(stream, 6), 2);
}

static void test_equal_code_is_one_code(void **state)
{
    struct stream *stream = fresh(state);
    stream_code(stream, 2, "/a.py", "f", 1);
    stream_code(stream, 3, "/a.py", "f", 1);
    stream_code(stream, 4, "/a.py", "g", 1);
    stream_code(stream, 2, "/b.py", "f", 1);
    stream_decode(stream);
    assert_int_equal(stream->run.stacks.codes.code_count, 1 + 3);
    assert_int_equal(stream->run.stacks.codes.file_count, 1 + 2);
}

static void test_hostile_words_are_counted(void **state)
{
    struct stream *stream = fresh(state);
    struct process *process = stream->process;
    stream_put(stream, wire_first(0));  /* no kind */
    stream_put(stream, wire_first(14)); /* no kind */
    stream_put(stream, 12345);          /* a continuation of nothing */
    stream_put(stream, wire_first(WIRE_MARK) | UINT64_C(200) << WIRE_MARK_SHIFT);
    stream_frame(stream, 7, 99, 0); /* a code that was never described */
    stream_put(stream, wire_first(WIRE_STACK) | UINT64_C(4095) << WIRE_STACK_COUNT_SHIFT |
                           UINT64_C(65535) << WIRE_STACK_LEVEL_SHIFT);
    stream_put(stream, wire_first(WIRE_STACK) | 100000); /* too deep */
    stream_put(stream, wire_first(WIRE_CODE) | WIRE_CODE_BEGIN_BIT |
                           UINT64_C(2) << WIRE_CODE_SHIFT | 0xffffff); /* too long a fragment */
    stream_put(stream, wire_first(WIRE_CODE) | UINT64_C(2) << WIRE_CODE_SHIFT | 7);
    stream_put(stream, 1); /* no description has begun */
    stream_put(stream, wire_first(WIRE_ALLOCATION) | UINT64_C(7) << WIRE_ALLOCATOR_SHIFT | 0x10);
    stream_put(stream, 0); /* no such allocator */
    stream_decode(stream);
    assert_int_equal(process_lost(process), 12);
    assert_int_equal(process->book.sums.allocations, 0);
    /* Whoever makes no sense needs no memory. */
    assert_int_equal(process->book.damaged[DAMAGE_MEMORY], 0);
    /* Depth below zero and instruction without a level: counted, kept without a stack. */
    stream_put(stream, wire_first(WIRE_ALLOCATION) | 0x20);
    stream_put(stream, UINT64_C(9) << WIRE_THREAD_SHIFT | WIRE_INSTRUCTION_BIT);
    stream_decode(stream);
    assert_int_equal(process_lost(process), 13);
    assert_int_equal(process->book.sums.allocations, 1);
}

static void test_records_of_kinds_to_come(void **state)
{
    struct stream *stream = fresh(state);
    struct process *process = stream->process;
    stream_put(stream, wire_first(WIRE_EXTENDED) | UINT64_C(77) << 16 | 2);
    stream_put(stream, 1);
    stream_put(stream, 2);
    stream_put(stream, wire_first(WIRE_EXTENDED)); /* nothing behind it */
    stream_bare_allocation(stream, 0x10, 100);
    stream_decode(stream);
    assert_int_equal(process->book.damaged[DAMAGE_UNKNOWN], 2);
    assert_int_equal(process_lost(process), 2);
    assert_int_equal(process->book.sums.allocations, 1);
    /* It says that it is longer than it is: what follows is read all the same. */
    stream_put(stream, wire_first(WIRE_EXTENDED) | 0xffff);
    stream_put(stream, 1);
    stream_bare_allocation(stream, 0x20, 100);
    stream_decode(stream);
    assert_int_equal(process->book.damaged[DAMAGE_RECORD], 1);
    assert_int_equal(process_lost(process), 3);
    assert_int_equal(process->book.sums.allocations, 2);
}

static void put_mark(struct stream *stream, enum wire_mark mark, uint64_t value)
{
    stream_put(stream, wire_first(WIRE_MARK) | (uint64_t)mark << WIRE_MARK_SHIFT | value);
}

/* Noting the end costs a look at every counter. An interpreter may begin and end again. */
static void test_ends_that_nothing_lies_between(void **state)
{
    struct stream *stream = fresh(state);
    for (uint64_t i = 0; i < 200; i++) /* size classes by threads: so many counters */
        stream_allocation(stream, (unsigned)i, 0x1000 + i * 16, 8);
    for (int i = 0; i < 64; i++)
        put_mark(stream, WIRE_MARK_PROGRAM_END, 0);
    stream_decode(stream);
    assert_int_equal(process_lost(stream->process), 0);
    stream_free(stream, 0x1000);
    put_mark(stream, WIRE_MARK_PROGRAM_END, 0);
    stream_decode(stream);
    assert_int_equal(process_lost(stream->process), 1);
    assert_int_equal(stream->process->book.end.blocks, 200);
    for (int i = 0; i < 200; i++)
        stream_free(stream, 0x7000);
    for (uint64_t i = 0; i < 200; i++)
        stream_allocation(stream, 0, 0x10000 + i * 16, 8);
    put_mark(stream, WIRE_MARK_PROGRAM_END, 0);
    stream_decode(stream);
    assert_int_equal(process_lost(stream->process), 1);
    assert_int_equal(stream->process->book.end.blocks, 399);
}

static void announce(struct stream *stream, uint32_t slot, uint32_t tid)
{
    stream_put(stream, wire_first(WIRE_THREAD) | (uint64_t)slot << WIRE_THREAD_SLOT_SHIFT | tid);
    if (stream->position % 1024 == 0)
        stream_decode(stream);
}

/* A name is read from /proc: who has had enough of that gets threads without names. */
static void test_names_of_more_threads_than_any_program_has(void **state)
{
    struct stream *stream = fresh(state);
    stream->process->peer.local = getpid();
    const struct process *process = stream->process;
    stream->process->peer.looks.used = ALLOWANCE_FIRST - 10;
    for (uint32_t i = 0; i < 20; i++)
        announce(stream, 1, i % 2 ? (uint32_t)getpid() : (uint32_t)getpid() + 1000000);
    stream_decode(stream);
    const struct thread_row *rows = process->book.threads.list.data;
    assert_int_equal(process->book.threads.count, 20);
    assert_true(rows[1].name[0]);
    assert_false(rows[19].name[0]);
    assert_int_equal(process_lost(process), 10);
    stream->process->peer.looks.seconds += 1; /* another second has gone by */
    announce(stream, 1, 0x7fffffff);
    stream_decode(stream);
    assert_int_equal(process_lost(process), 10);
}

/* Nor is a relative name of a file looked for. */
static void test_files_of_more_codes_than_any_program_has(void **state)
{
    struct stream *stream = fresh(state);
    stream_code(stream, 2, "relative.py", "f", 1);
    stream_decode(stream);
    assert_int_equal(process_lost(stream->process), 0);
    stream->process->peer.looks.used = ALLOWANCE_FIRST;
    stream_code(stream, 3, "relative.py", "g", 1);
    stream_code(stream, 4, "/absolute.py", "h", 1);
    stream_decode(stream);
    assert_int_equal(process_lost(stream->process), 1);
    assert_int_equal(stream->run.stacks.codes.code_count, 4);
}

/* To bring back what a failed unmapping had taken costs as much as there is of it. */
static void test_unmappings_that_fail_all_the_time(void **state)
{
    struct stream *stream = fresh(state);
    enum { PIECES = 1000 };
    for (uint64_t i = 0; i < PIECES; i++)
        stream_map(stream, 0, 0x100000 + i * 0x1000, 0x1000);
    stream_decode(stream);
    uint64_t rounds = 0;
    while (process_lost(stream->process) == 0 && rounds < 2000) {
        stream_unmap(stream, 0, 0x100000, PIECES * 0x1000);
        stream_unmap_failed(stream, 0, 0x100000, PIECES * 0x1000);
        stream_decode(stream);
        rounds++;
    }
    assert_int_equal(rounds, (1 << 20) / PIECES + 1);
    assert_int_equal(stream->process->book.sums.blocks, 0);
    stream_check_sums(stream);
    /* A few pieces may fail for ever. */
    stream_map(stream, 0, 0x100000, 0x1000);
    memset(stream->process->book.damaged, 0, sizeof stream->process->book.damaged);
    for (int i = 0; i < 2000; i++) {
        stream_unmap(stream, 0, 0x100000, 0x1000);
        stream_unmap_failed(stream, 0, 0x100000, 0x1000);
        stream_decode(stream);
    }
    assert_int_equal(process_lost(stream->process), 0);
    assert_int_equal(stream->process->book.sums.blocks, 1);
}

static void test_hole_is_skipped(void **state)
{
    struct stream *stream = fresh(state);
    stream_bare_allocation(stream, 0x10, 1);
    stream->position += 2; /* reserved, its writer never came back */
    stream_bare_allocation(stream, 0x20, 1);
    stream_decode(stream);
    assert_int_equal(stream->process->book.sums.allocations, 1);
    assert_int_equal(decode_skip_hole(stream->process), 2);
    stream_decode(stream);
    assert_int_equal(stream->process->book.sums.allocations, 2);
    assert_int_equal(process_lost(stream->process), 0);
    assert_int_equal(decode_skip_hole(stream->process), 0);
}

static void assert_at_line(struct stream *stream, int line, uint64_t bytes)
{
    stream_decode(stream);
    assert_int_equal(peak_at_line(stream, line), bytes);
}

/* Who has written before the end of the doubt is believed; who has not, when it has told all anew.
 */
static void test_stacks_are_doubted_behind_a_hole(void **state)
{
    struct stream *stream = fresh(state);
    struct process *process = stream->process;
    stream_code(stream, 2, "/a.py", "f", 1);
    for (unsigned slot = 1; slot <= 2; slot++) {
        stream_frame(stream, slot, 2, 4 * slot);
        stream_allocation(stream, slot, 0x100 * slot, slot);
    }
    assert_at_line(stream, 5, 1);
    assert_at_line(stream, 9, 2);
    mirror_doubt(&process->mirror, stream->position + 2);
    stream_allocation(stream, 1, 0x110, 10);
    stream_allocation(stream, 1, 0x120, 10);
    stream_allocation(stream, 2, 0x210, 100);
    assert_at_line(stream, 5, 21);
    assert_at_line(stream, 9, 2);
    assert_int_equal(process_lost(process), 1);
    stream_frame(stream, 2, 2, 12); /* may be a part of what is not known */
    stream_allocation(stream, 2, 0x220, 100);
    assert_at_line(stream, 13, 0);
    assert_int_equal(process_lost(process), 2);
    stream_put(stream, wire_first(WIRE_THREAD) | UINT64_C(2) << WIRE_THREAD_SLOT_SHIFT | 7);
    stream_frame(stream, 2, 2, 12);
    stream_allocation(stream, 2, 0x230, 1000);
    assert_at_line(stream, 13, 1000);
    assert_int_equal(process_lost(process), 2);
    assert_int_equal(process->book.sums.blocks, 7);
}

/* The number of a description that a part of was lost means nothing. */
static void test_descriptions_are_doubted_behind_a_hole(void **state)
{
    struct stream *stream = fresh(state);
    stream_code(stream, 2, "/a.py", "f", 1);
    stream_put(stream,
               wire_first(WIRE_CODE) | WIRE_CODE_BEGIN_BIT | UINT64_C(2) << WIRE_CODE_SHIFT | 6);
    stream_put(stream, 0);
    stream_decode(stream);
    mirror_doubt(&stream->process->mirror, stream->position);
    stream_frame(stream, 1, 2, 4);
    stream_allocation(stream, 1, 0x10, 1);
    assert_at_line(stream, 5, 0);
    assert_int_not_equal(process_lost(stream->process), 0);
}

static void put_frees(struct stream *stream, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        stream_free(stream, 0x10);
}

/* One who waits for room is woken once a quarter of the ring is free, of many one after the other
 * for less; and nobody for what the reader finds before a record that is still being written. */
static void check_waking(struct stream *stream, unsigned waiting, unsigned enough)
{
    const struct ring_reader_page *reader = stream->process->ring.reader;
    const unsigned capacity = 1u << RING_LOG2;
    put_frees(stream, enough - 1);
    uint64_t hole = stream->position++;
    put_frees(stream, capacity - enough);
    atomic_store(&stream->process->ring.writers->writers_wait, waiting);
    stream_decode(stream);
    assert_int_equal(atomic_load(&reader->tail), hole);
    assert_int_equal(atomic_load(&reader->progress), 0);
    uint64_t end = stream->position;
    stream->position = hole;
    stream_free(stream, 0x10);
    stream->position = end;
    stream_decode(stream);
    assert_int_equal(atomic_load(&reader->tail), capacity);
    assert_true(atomic_load(&reader->progress) > 0);
}

static void test_one_waiting_writer_is_woken(void **state)
{
    check_waking(fresh(state), 1, (1u << RING_LOG2) / 4);
}

static void test_many_waiting_writers_are_woken(void **state)
{
    check_waking(fresh(state), 64, (1u << RING_LOG2) / 4 / 64);
}

static void test_two_frees_missing_between(void **state)
{
    struct stream *stream = fresh(state);
    /* The free of the first was never seen: the block has made room, and is told as lost. */
    stream_bare_allocation(stream, 0x10, 100);
    stream_bare_allocation(stream, 0x10, 30);
    stream_decode(stream);
    assert_int_equal(stream->process->book.sums.bytes, 30);
    assert_int_equal(stream->process->book.sums.blocks, 1);
    assert_int_equal(process_lost(stream->process), 1);
}

static void test_samples_are_bounded(void **state)
{
    (void)state;
    struct samples samples = {0};
    struct heap_sums sums = {0};
    uint64_t now = 0;
    for (unsigned i = 0; i < 3 * SAMPLES_MAX; i++) {
        sums.bytes = i;
        sums.most = i == 777 ? 1000000 : i;
        now = samples.next_ns;
        samples_take(&samples, &sums, getpid(), now, (double)now / 1e9, false);
        assert_true(samples.count <= SAMPLES_MAX);
        assert_int_equal(sums.most, i);
    }
    assert_int_equal(samples.interval_ns, SAMPLES_FIRST_NS * 16);
    uint64_t most = 0;
    for (uint32_t i = 0; i < samples.count; i++) {
        most = samples.list[i].most > most ? samples.list[i].most : most;
        if (i > 0) {
            assert_true(samples.list[i].time > samples.list[i - 1].time);
        }
        assert_true(samples.list[i].resident > 0);
    }
    assert_int_equal(most, 1000000);
    samples_deinit(&samples);
}

/* --- endings ---
 *
 * An eventfd that is readable stands for the pidfd of a process that has ended, on a kernel that
 * says no more of it. */

#define CHILD_PID 0x7ffffff1 /* beyond any process id */

static void take_child_in(struct stream *stream, struct peer *child, uint32_t number, bool was_gone)
{
    *child = (struct peer){.number = number,
                           .pid = CHILD_PID,
                           .parent = stream->process->peer.pid,
                           .pidfd = eventfd(1, EFD_CLOEXEC),
                           .was_gone = was_gone,
                           .ending = ENDING_UNKNOWN};
    assert_true(child->pidfd >= 0);
    endings_watch(&stream->run.endings, child);
}

static void watch_child(struct stream *stream, struct peer *child, uint32_t number)
{
    take_child_in(stream, child, number, false);
}

static void tell_ending(struct stream *stream, pid_t pid, unsigned status)
{
    stream_put(stream, wire_first(WIRE_MARK) | (uint64_t)WIRE_MARK_CHILD_ENDED << WIRE_MARK_SHIFT |
                           (uint64_t)pid << WIRE_CHILD_PID_SHIFT | status);
    stream_decode(stream);
}

static void settle_child(struct stream *stream, struct peer *child, const int *wait_status)
{
    endings_settle(&stream->run.endings, child, peer_has_ended(child), wait_status);
    close(child->pidfd);
}

static void test_told_before_its_end_is_seen(void **state)
{
    struct stream *stream = *state;
    struct endings *endings = &stream->run.endings;
    struct peer child;
    watch_child(stream, &child, 2);
    tell_ending(stream, CHILD_PID - 1, 1 << 8); /* nobody that is known */
    tell_ending(stream, CHILD_PID, 0x137f);     /* stopped */
    tell_ending(stream, CHILD_PID, 0xffff);     /* continued */
    tell_ending(stream, CHILD_PID, 7 << 8);
    tell_ending(stream, CHILD_PID, 8 << 8); /* no process ends twice */
    assert_int_equal(endings->late, 0);
    settle_child(stream, &child, NULL);
    assert_int_equal(child.ending.exit_status, 7);
    assert_int_equal(child.ending.signal, 0);
    assert_int_equal(endings->count, 0);
    assert_int_equal(process_lost(stream->process), 0);
}

/* Of another life of that id, of another's child or twice: nothing. */
static void test_told_before_its_hello_is_read(void **state)
{
    struct stream *stream = *state;
    struct peer child;
    tell_ending(stream, CHILD_PID, SIGKILL);
    take_child_in(stream, &child, 2, true);
    settle_child(stream, &child, NULL);
    assert_int_equal(child.ending.signal, SIGKILL);
    take_child_in(stream, &child, 3, true);
    settle_child(stream, &child, NULL);
    assert_false(ending_is_known(&child.ending));
    tell_ending(stream, CHILD_PID, 7 << 8); /* late, of the one before */
    tell_ending(stream, CHILD_PID - 1, 8 << 8);
    take_child_in(stream, &child, 4, false);
    settle_child(stream, &child, NULL);
    assert_false(ending_is_known(&child.ending));
    for (unsigned i = 0; i < ENDINGS_TOLD_EARLY; i++)
        tell_ending(stream, CHILD_PID - 2 - i, 9 << 8);
    child.pid = CHILD_PID - 1; /* told too long ago */
    child.was_gone = true;
    child.pidfd = eventfd(1, EFD_CLOEXEC);
    endings_watch(&stream->run.endings, &child);
    settle_child(stream, &child, NULL);
    assert_false(ending_is_known(&child.ending));
}

static void test_told_after_its_end_is_seen(void **state)
{
    struct stream *stream = *state;
    struct endings *endings = &stream->run.endings;
    struct peer child;
    struct ending ending;
    uint32_t number;
    watch_child(stream, &child, 2);
    settle_child(stream, &child, NULL);
    assert_false(ending_is_known(&child.ending));
    assert_false(endings_take_late(endings, &number, &ending));
    tell_ending(stream, CHILD_PID, SIGSEGV | 0x80);
    assert_int_equal(endings->late, 1);
    assert_true(endings_take_late(endings, &number, &ending));
    assert_int_equal(number, 2);
    assert_int_equal(ending.exit_status, -1);
    assert_int_equal(ending.signal, SIGSEGV);
    assert_true(ending.core_dumped);
    assert_false(ending.out_of_memory);
    tell_ending(stream, CHILD_PID, 3 << 8);
    assert_false(endings_take_late(endings, &number, &ending));
    assert_int_equal(endings->count, 0);
}

/* What is certain is not replaced, another's child is not believed, and who has a process id now is
 * not who had it before. */
static void test_told_and_not_taken(void **state)
{
    struct stream *stream = *state;
    struct endings *endings = &stream->run.endings;
    struct peer child;
    const int certain = 5 << 8;
    watch_child(stream, &child, 2);
    tell_ending(stream, CHILD_PID, 7 << 8);
    settle_child(stream, &child, &certain);
    assert_int_equal(child.ending.exit_status, 5);
    watch_child(stream, &child, 3);
    settle_child(stream, &child, NULL);
    const struct peer stranger = {.pid = stream->process->peer.pid + 1};
    endings_tell(endings, &stranger, CHILD_PID, 7 << 8);
    const struct peer distant = {.pid = stream->process->peer.pid, .host = 1};
    endings_tell(endings, &distant, CHILD_PID, 7 << 8);
    assert_int_equal(endings->late, 0);
    watch_child(stream, &child, 4);
    tell_ending(stream, CHILD_PID, 9 << 8);
    settle_child(stream, &child, NULL);
    assert_int_equal(child.ending.exit_status, 9);
    assert_int_equal(endings->count, 0);
    assert_int_equal(endings->late, 0);
}

static void test_one_that_lives_on_has_no_ending(void **state)
{
    struct stream *stream = *state;
    struct peer child;
    watch_child(stream, &child, 2);
    uint64_t count;
    assert_int_equal(read(child.pidfd, &count, sizeof count), sizeof count); /* it lives */
    settle_child(stream, &child, NULL);
    assert_false(ending_is_known(&child.ending));
    assert_int_equal(stream->run.endings.count, 0);
}

/* The value of one column of the process with this number; -1 for null. */
static int64_t recorded(sqlite3 *database, const char *query)
{
    sqlite3_stmt *statement;
    assert_int_equal(sqlite3_prepare_v2(database, query, -1, &statement, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
    int64_t value =
        sqlite3_column_type(statement, 0) == SQLITE_NULL ? -1 : sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    return value;
}

/* Its row stands in the file already. */
static void test_a_late_ending_is_written(void **state)
{
    struct stream *stream = *state;
    struct process *process = stream->process;
    struct recording_writer writer;
    const struct recorded_run about = {.command = "[]", .directory = "/", .keeps_history = true};
    char path[64];
    snprintf(path, sizeof path, "/tmp/heapline-test-%d.heapline", (int)getpid());
    assert_true(recording_create(&writer, path, true, &about));
    assert_int_equal(dup2(eventfd(1, EFD_CLOEXEC), process->peer.pidfd), process->peer.pidfd);
    pid_t pid = process->peer.pid;
    process->peer.pid = CHILD_PID;
    process->peer.parent = pid;
    endings_watch(&stream->run.endings, &process->peer);
    endings_settle(&stream->run.endings, &process->peer, process_has_ended(process), NULL);
    process->peer.ended = true;
    assert_int_equal(recording_snapshot(&writer, &stream->run, process, &about), RECORDING_WRITTEN);
    const char *status = "SELECT exit_status FROM process", *signal = "SELECT signal FROM process";
    assert_int_equal(recorded(writer.database.connection, status), -1);
    const struct peer parent = {.pid = pid};
    endings_tell(&stream->run.endings, &parent, CHILD_PID, SIGABRT | 0x80);
    recording_put_late_endings(&writer, &stream->run.endings);
    assert_int_equal(recorded(writer.database.connection, status), -1);
    assert_int_equal(recorded(writer.database.connection, signal), SIGABRT);
    assert_int_equal(recorded(writer.database.connection, "SELECT core_dumped FROM ending"), 1);
    assert_int_equal(stream->run.endings.late, 0);
    recording_close(&writer);
    unlink(path);
}

static void test_refused_allocations(void **state)
{
    struct stream *stream = *state;
    const uint64_t sizes[] = {10, WIRE_MARK_VALUE_MASK, UINT64_C(1) << 40};
    for (unsigned i = 0; i < 3; i++)
        stream_put(stream, wire_first(WIRE_MARK) | (uint64_t)WIRE_MARK_REFUSED << WIRE_MARK_SHIFT |
                               sizes[i]);
    stream_decode(stream);
    assert_int_equal(stream->process->book.refusals.count, 3);
    assert_int_equal(stream->process->book.refusals.most, WIRE_MARK_VALUE_MASK);
    assert_int_equal(stream->process->book.refusals.location, 0);
}

static void put_refusal(struct stream *stream, uint64_t size, uint64_t depth_change, uint64_t rest)
{
    uint64_t position = stream->position;
    stream_put(stream,
               wire_first(WIRE_MARK) | (uint64_t)WIRE_MARK_REFUSED << WIRE_MARK_SHIFT | size);
    stream_put(stream, rest | (depth_change + WIRE_DEPTH_CHANGE_BIAS) << WIRE_SIZE_SHIFT);
    stream_decode(stream);
    assert_int_equal(stream->process->ring.position, position + 2);
}

/* What the second word says of the stack holds for the thread from then on. */
static void test_where_an_allocation_was_refused(void **state)
{
    struct stream *stream = *state;
    struct process *process = stream->process;
    stream_code(stream, 2, "/a.py", "f", 7);
    stream_frame(stream, 0, 2, 0);
    put_refusal(stream, 10, 0, WIRE_INSTRUCTION_BIT);
    assert_int_equal(
        codes_location(&stream->run.stacks.codes, process->book.refusals.location)->line, 7);
    put_refusal(stream, 9, 0, WIRE_NO_STACK_BIT);
    assert_int_not_equal(process->book.refusals.location, 0);
    put_refusal(stream, 11, 0, WIRE_NO_STACK_BIT);
    assert_int_equal(process->book.refusals.location, 0);
    assert_int_equal(process_lost(process), 0);
    put_refusal(stream, 12, 1, 0); /* a level that was never sent */
    put_refusal(stream, 13, 0, WIRE_THREAD_MASK << WIRE_THREAD_SHIFT | WIRE_INSTRUCTION_BIT);
    assert_int_equal(process_lost(process), 2);
    assert_int_equal(process->book.refusals.count, 5);
}

static const struct code_file *file_named(struct stream *stream, const char *path)
{
    for (uint32_t i = 1; i < stream->run.stacks.codes.file_count; i++)
        if (strcmp(codes_file(&stream->run.stacks.codes, i)->path, path) == 0)
            return codes_file(&stream->run.stacks.codes, i);
    return NULL;
}

/* A name "<a>", a line of Latin-1 with a NUL and one of four bytes a character. */
static const unsigned char whole_text[] = "\x1d\0\0\0"
                                          "\3\0\0\0<a>"
                                          "\6\0\0\0x\xe9 = \0"
                                          "\x08\0\0\x80\0\xf6\1\0\x0a\0\0\0";
#define WHOLE_TEXT_BYTES 33u

static void test_texts_that_processes_have(void **state)
{
    struct stream *stream = *state;
    struct process *process = stream->process;
    stream_code(stream, 2, "<a>", "f", 1);
    stream_text(stream, true, whole_text, 10);
    stream_text(stream, false, whole_text + 10, WHOLE_TEXT_BYTES - 10);
    stream_decode(stream);
    const struct code_file *file = file_named(stream, "<a>");
    assert_int_equal(process_lost(process), 0);
    assert_string_equal(file->told, "x\303\251 = \357\277\275\360\237\230\200\n");
    assert_int_equal(stream->run.stacks.codes.told_bytes, strlen(file->told));
    /* Again the same; then another one, half of it in characters of four bytes. */
    stream_text(stream, true, whole_text, WHOLE_TEXT_BYTES);
    stream_decode(stream);
    assert_false(file_named(stream, "<a>")->is_told_twice);
    unsigned char other[WHOLE_TEXT_BYTES];
    memcpy(other, whole_text, sizeof other);
    other[15] = 'y';
    stream_text(stream, true, other, WHOLE_TEXT_BYTES);
    other[9] = 'b'; /* which no code names */
    stream_text(stream, true, other, WHOLE_TEXT_BYTES);
    stream_decode(stream);
    assert_true(file_named(stream, "<a>")->is_told_twice);
    assert_int_equal(process_lost(process), 0);
}

static void test_texts_that_make_no_sense(void **state)
{
    struct stream *stream = *state;
    struct process *process = stream->process;
    unsigned char text[WHOLE_TEXT_BYTES];
    stream_code(stream, 2, "<a>", "f", 1);
    stream_text(stream, false, whole_text, 7); /* none has begun: two words */
    stream_decode(stream);
    assert_int_equal(process_lost(process), 2);
    memcpy(text, whole_text, sizeof text);
    text[3] = 1; /* more than a text has: goes on waiting, until another one begins */
    stream_text(stream, true, text, WHOLE_TEXT_BYTES);
    memcpy(text, whole_text, sizeof text);
    text[11] = 0x7f; /* a line beyond the end */
    stream_text(stream, true, text, WHOLE_TEXT_BYTES);
    memcpy(text, whole_text, sizeof text);
    text[24] = 0xc0; /* no width */
    stream_text(stream, true, text, WHOLE_TEXT_BYTES);
    stream_text(stream, true, "\2\0\0\0\0\0", 6); /* half a piece */
    stream_decode(stream);
    assert_int_equal(process_lost(process), 5);
    stream_put(stream, wire_first(WIRE_MARK) | (uint64_t)WIRE_MARK_TEXT << WIRE_MARK_SHIFT |
                           WIRE_TEXT_BEGIN_BIT); /* nothing */
    stream_put(stream, wire_first(WIRE_MARK) | (uint64_t)WIRE_MARK_TEXT << WIRE_MARK_SHIFT |
                           WIRE_TEXT_BEGIN_BIT | 7); /* and its words are missing */
    stream_decode(stream);
    assert_int_equal(process_lost(process), 7);
    assert_null(file_named(stream, "<a>")->told);
}

static void name_thread(struct stream *stream, uint32_t slot, const char *name)
{
    uint64_t word = 0;
    assert_in_range(strlen(name), 1, 7);
    memcpy(&word, name, strlen(name));
    put_mark(stream, WIRE_MARK_THREAD_NAME,
             (uint64_t)slot << WIRE_THREAD_NAME_SLOT_SHIFT | strlen(name));
    stream_put(stream, word);
}

static const char *name_of_slot(const struct process *process, uint32_t slot)
{
    return ((const struct thread_row *)
                process->book.threads.list.data)[process->mirror.slots[slot]->who.row]
        .name;
}

static void test_names_of_threads(void **state)
{
    struct stream *stream = *state;
    struct process *process = stream->process;
    announce(stream, 1, 1000001);
    name_thread(stream, 1, "reader");
    name_thread(stream, 2, "nobody"); /* a slot without a thread */
    stream_decode(stream);
    assert_string_equal(name_of_slot(process, 1), "reader");
    assert_int_equal(process->book.threads.count, 1);
    process->book.threads.written = 1;
    name_thread(stream, 1, "writer"); /* is written again */
    stream_decode(stream);
    assert_int_equal(process->book.threads.written, 0);
    assert_int_equal(process_lost(process), 0);
    put_mark(stream, WIRE_MARK_THREAD_NAME,
             UINT64_C(1) << WIRE_THREAD_NAME_SLOT_SHIFT | (WIRE_THREAD_NAME_BYTES_MAX + 1));
    put_mark(stream, WIRE_MARK_THREAD_NAME,
             UINT64_C(1) << WIRE_THREAD_NAME_SLOT_SHIFT | UINT64_C(3)
                                                              << WIRE_THREAD_NAME_WIDTH_SHIFT);
    put_mark(stream, WIRE_MARK_THREAD_NAME, UINT64_C(1) << WIRE_THREAD_NAME_SLOT_SHIFT | 7);
    stream_decode(stream); /* too long, no width, and its word is missing */
    assert_int_equal(process_lost(process), 3);
    assert_string_equal(name_of_slot(process, 1), "writer");
}

/* Ended threads that hold nothing have a row in common when their names differ in numbers alone,
 * and what was allocated stays with who did it. */
static void test_numbered_threads_fold(void **state)
{
    struct stream *stream = *state;
    struct process *process = stream->process;
    char name[8];
    for (uint32_t i = 0; i < 1000; i++) {
        announce(stream, 1, 1000001 + i);
        snprintf(name, sizeof name, "w-%u", i);
        name_thread(stream, 1, name);
        stream_allocation(stream, 1, 0x1000, 8);
        if (i % 100)
            stream_free(stream, 0x1000);
        else
            stream_allocation(stream, 1, 0x100000 + i * 16, 8);
        stream_decode(stream);
    }
    assert_in_range(process->book.threads.count, 10, 300);
    assert_string_equal(name_of_slot(process, 1), "w-*");
    uint64_t allocations = 0;
    for (uint32_t i = 1; i < process->book.counters.count; i++)
        allocations += counters_at(&process->book.counters, i)->allocations;
    assert_int_equal(allocations, 1010);
    stream_check_sums(stream);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_counts, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_first_of_two_equal_peaks, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_peak_at_last_event, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_failed_realloc_changes_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_failed_realloc_at_the_peak, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_random_against_model, set_up, tear_down),
        cmocka_unit_test(test_live_heap_grows_and_empties),
        cmocka_unit_test(test_tree_finds_what_it_made),
        cmocka_unit_test(test_counters_of_many_threads),
        cmocka_unit_test(test_kinds_in_turn),
        cmocka_unit_test(test_samples_are_bounded),
        cmocka_unit_test_setup_teardown(test_stale_levels_count_again, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_equal_code_is_one_code, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_hostile_words_are_counted, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_records_of_kinds_to_come, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_ends_that_nothing_lies_between, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_names_of_more_threads_than_any_program_has, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_files_of_more_codes_than_any_program_has, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_unmappings_that_fail_all_the_time, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_hole_is_skipped, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_stacks_are_doubted_behind_a_hole, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_descriptions_are_doubted_behind_a_hole, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_one_waiting_writer_is_woken, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_many_waiting_writers_are_woken, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_two_frees_missing_between, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_told_before_its_end_is_seen, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_told_before_its_hello_is_read, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_told_after_its_end_is_seen, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_told_and_not_taken, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_one_that_lives_on_has_no_ending, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_late_ending_is_written, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_refused_allocations, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_where_an_allocation_was_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_names_of_threads, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_numbered_threads_fold, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_texts_that_processes_have, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_texts_that_make_no_sense, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
