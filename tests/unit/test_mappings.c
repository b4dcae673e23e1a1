/*
 * Mappings: the ranges against a model of pages, and what mapping and unmapping does to sums,
 * history and children.
 */
#include <stdlib.h>
#include <string.h>

#include "unit.h"

#include "collector/book/mappings.h"
#include "collector/stream/decode.h"
#include "stream.h"

#define RING_LOG2 14
#define PAGE      UINT64_C(0x1000)
#define BASE      UINT64_C(0x7f0000000000)

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

static uint32_t below(uint64_t *random, uint32_t limit)
{
    *random = *random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(*random >> 33) % limit;
}

/* --- ranges --- */

#define PAGES 300u

static bool add_range(struct mappings *mappings, uint64_t start, uint64_t end, uint32_t mapping)
{
    return mappings_add_range(
        mappings, &(struct mapping_range){
                      .start = start, .end = end, .held = end - start, .mapping = mapping});
}

/* The ranges must be those of the model: which mapping each page belongs to. */
static void check_pages(const struct mappings *mappings, const uint32_t *pages)
{
    uint32_t found[PAGES] = {0}, ranges = 0;
    uint64_t end = 0;
    for (uint32_t number = mappings_from(mappings, 0); number;
         number = mappings_from(mappings, end), ranges++) {
        const struct mapping_range *range = mappings_range(mappings, number);
        assert_true(range->start >= end && range->start < range->end);
        for (uint64_t page = range->start; page < range->end; page++)
            found[page] = range->mapping;
        end = range->end;
    }
    assert_int_equal(ranges, mappings->live_ranges);
    assert_memory_equal(found, pages, sizeof found);
}

/* The list must be what the model has between first and end, which is then empty. */
static void check_cut(const struct mappings *mappings, uint32_t list, uint32_t *pages,
                      uint32_t first, uint32_t end)
{
    for (uint32_t number = list; number; number = mappings_range(mappings, number)->right) {
        const struct mapping_range *range = mappings_range(mappings, number);
        assert_true(range->start >= first && range->end <= end);
        for (uint64_t page = range->start; page < range->end; page++) {
            assert_int_equal(pages[page], range->mapping);
            pages[page] = 0;
        }
    }
    for (uint32_t page = first; page < end; page++)
        assert_int_equal(pages[page], 0);
}

static void test_ranges_against_pages(void **state)
{
    (void)state;
    struct mappings mappings = {0};
    uint32_t pages[PAGES] = {0}, before[PAGES], cut;
    uint64_t random = 1;
    for (int step = 0; step < 20000; step++) {
        uint32_t first = below(&random, PAGES - 1);
        uint32_t end = first + 1 + below(&random, below(&random, 8) ? 9 : PAGES - first - 1);
        end = end < PAGES ? end : PAGES;
        memcpy(before, pages, sizeof before);
        assert_true(mappings_cut(&mappings, first, end, &cut));
        check_cut(&mappings, cut, pages, first, end);
        if (below(&random, 4) == 0) {
            while (cut)
                cut = mappings_put_back(&mappings, cut);
            memcpy(pages, before, sizeof pages);
        } else {
            mappings_release(&mappings, cut);
            if (below(&random, 2)) {
                uint32_t number = mappings_add(&mappings, &(struct mapping){.number = 7});
                assert_true(add_range(&mappings, first, end, number));
                for (uint32_t page = first; page < end; page++)
                    pages[page] = number;
            }
        }
        if (step % 16 == 0)
            check_pages(&mappings, pages);
    }
    /* Slots are used again: there is never more than a mapping a page. */
    assert_true(mappings.all_used <= PAGES + 2);
    mappings_deinit(&mappings);
}

/* Ranges in order, backwards and at random: the tree stays usable. */
static void test_many_ranges(void **state)
{
    (void)state;
    enum { MANY = 200000 };
    struct mappings mappings = {0};
    uint32_t cut, left = 0;
    for (uint64_t i = 0; i < MANY; i++) {
        uint64_t place = i % 2 ? i : MANY - i;
        uint32_t number = mappings_add(&mappings, &(struct mapping){.number = i});
        assert_true(add_range(&mappings, place * 16, place * 16 + 8, number));
    }
    assert_true(mappings_cut(&mappings, 160, (MANY - 20) * 16, &cut));
    for (uint32_t number = cut; number; number = mappings_range(&mappings, number)->right)
        left++;
    assert_int_equal(left, MANY - 30);
    assert_int_equal(mappings.live_ranges, 30);
    mappings_release(&mappings, cut);
    mappings_deinit(&mappings);
}

/* --- events --- */

static void test_parts_and_holes(void **state)
{
    struct stream *stream = *state;
    const struct process *process = stream->process;
    const struct heap_sums *sums = &process->book.sums;
    stream_map(stream, 0, BASE, 10 * PAGE);
    stream_map(stream, 0, BASE + 10 * PAGE, 10 * PAGE);
    stream_unmap(stream, 0, BASE + 3 * PAGE, 2 * PAGE); /* a hole */
    stream_decode(stream);
    assert_int_equal(sums->bytes, 18 * PAGE);
    assert_int_equal(sums->by_allocator[WIRE_ALLOCATOR_MMAP], 18 * PAGE);
    assert_int_equal(sums->blocks, 2);
    assert_int_equal(sums->frees, 0);
    assert_int_equal(process->book.mappings.live_ranges, 3);
    stream_unmap(stream, 0, BASE + 8 * PAGE, 6 * PAGE); /* over the edge of both */
    stream_decode(stream);
    assert_int_equal(sums->bytes, 12 * PAGE);
    assert_int_equal(sums->blocks, 2);
    stream_unmap(stream, 0, BASE, 15 * PAGE); /* what is left of the first, in two ranges */
    stream_decode(stream);
    assert_int_equal(sums->bytes, 5 * PAGE);
    assert_int_equal(sums->blocks, 1);
    assert_int_equal(sums->frees, 1);
    stream_unmap(stream, 0, BASE, 10 * PAGE); /* nobody's */
    stream_unmap(stream, 0, BASE, 100 * PAGE);
    stream_decode(stream);
    assert_int_equal(sums->bytes, 0);
    assert_int_equal(sums->frees, 2);
    assert_int_equal(sums->allocations, 2);
    assert_int_equal(sums->allocated_bytes, 20 * PAGE);
    assert_int_equal(sums->peak.bytes, 20 * PAGE);
    assert_int_equal(process->book.unmatched_frees, 1);
    assert_int_equal(process_lost(process), 0);
    stream_check_history(stream);
}

static void test_overlays(void **state)
{
    struct stream *stream = *state;
    const struct process *process = stream->process;
    const struct heap_sums *sums = &process->book.sums;
    stream_map(stream, 0, BASE, 10 * PAGE);
    stream_map(stream, 0, BASE + 2 * PAGE, 3 * PAGE);
    stream_decode(stream);
    assert_int_equal(sums->bytes, 10 * PAGE);
    assert_int_equal(sums->blocks, 2);
    assert_int_equal(sums->peak.bytes, 10 * PAGE); /* never both */
    stream_map(stream, 0, BASE, 20 * PAGE);
    stream_decode(stream);
    assert_int_equal(sums->bytes, 20 * PAGE);
    assert_int_equal(sums->blocks, 1);
    assert_int_equal(sums->frees, 2);
    assert_int_equal(process->book.unmatched_frees, 0);
    assert_int_equal(process_lost(process), 0);
    stream_check_history(stream);
}

static void test_failed_unmap_changes_nothing(void **state)
{
    struct stream *stream = *state;
    const struct process *process = stream->process;
    const struct heap_sums *sums = &process->book.sums;
    stream_map(stream, 0, BASE, 4 * PAGE);
    stream_map(stream, 0, BASE + 4 * PAGE, 4 * PAGE);
    stream_unmap(stream, 3, BASE + 2 * PAGE, 6 * PAGE); /* a part, and one as a whole */
    stream_decode(stream);
    assert_int_equal(sums->bytes, 2 * PAGE);
    stream_bare_allocation(stream, 0x1000, 10);
    stream_unmap_failed(stream, 3, BASE + 2 * PAGE, 6 * PAGE);
    stream_unmap(stream, 3, BASE + 50 * PAGE, PAGE);
    stream_unmap_failed(stream, 3, BASE + 50 * PAGE, PAGE);
    stream_decode(stream);
    assert_int_equal(sums->bytes, 8 * PAGE + 10);
    assert_int_equal(sums->peak.bytes, 8 * PAGE + 10);
    assert_int_equal(sums->blocks, 3);
    assert_int_equal(sums->frees, 0);
    assert_int_equal(sums->allocations, 3);
    assert_int_equal(process->book.unmatched_frees, 0);
    stream_unmap(stream, 3, BASE, 8 * PAGE);
    stream_decode(stream);
    assert_int_equal(sums->bytes, 10);
    assert_int_equal(sums->frees, 2);
    assert_int_equal(process_lost(process), 0);
    /* Not what was unmapped last, and nothing at all. */
    stream_unmap_failed(stream, 3, BASE, 7 * PAGE);
    stream_unmap_failed(stream, 4, BASE, 8 * PAGE);
    stream_decode(stream);
    assert_int_equal(process_lost(process), 2);
    assert_int_equal(sums->bytes, 10);
    stream_check_history(stream);
}

/* Somebody who lies has mapped something into the hole, or unmapped the rest. */
static void test_failed_unmap_of_what_has_changed(void **state)
{
    struct stream *stream = *state;
    const struct heap_sums *sums = &stream->process->book.sums;
    stream_map(stream, 0, BASE, 8 * PAGE);
    stream_unmap(stream, 1, BASE + 2 * PAGE, 2 * PAGE);
    stream_map(stream, 0, BASE + 3 * PAGE, PAGE);
    stream_unmap(stream, 2, BASE, 2 * PAGE);
    stream_unmap(stream, 2, BASE + 4 * PAGE, 4 * PAGE);
    stream_decode(stream);
    assert_int_equal(sums->bytes, PAGE);
    stream_unmap_failed(stream, 1, BASE + 2 * PAGE, 2 * PAGE);
    stream_decode(stream);
    assert_int_equal(sums->bytes, 2 * PAGE);
    assert_int_equal(sums->blocks, 1);
    stream_check_history(stream);
}

/* Bytes that go before the thread's next allocation are temporary, the block with the last. */
static void test_temporary_mappings(void **state)
{
    struct stream *stream = *state;
    struct process *process = stream->process;
    stream_map(stream, 0, BASE, 4 * PAGE);
    stream_unmap(stream, 0, BASE, PAGE);
    stream_unmap(stream, 0, BASE + PAGE, 3 * PAGE);
    stream_map(stream, 0, BASE, 4 * PAGE);
    stream_unmap(stream, 0, BASE, PAGE);
    stream_map(stream, 0, BASE + 9 * PAGE, 4 * PAGE);
    stream_unmap(stream, 0, BASE, 4 * PAGE);
    stream_decode(stream);
    const struct counter *counter = counters_at(&process->book.counters, 1);
    assert_int_equal(counter->temporary_bytes, 5 * PAGE);
    assert_int_equal(counter->temporary_blocks, 1);
    assert_int_equal(process->book.sums.frees, 2);
    stream_check_history(stream);
}

static void test_mappings_that_cannot_be(void **state)
{
    struct stream *stream = *state;
    const struct process *process = stream->process;
    stream_map(stream, 0, BASE, 0);
    stream_map(stream, 0, WIRE_ADDRESS_MASK - 10, 11);
    stream_unmap(stream, 0, BASE, 0);
    stream_unmap(stream, 0, 1, WIRE_ADDRESS_MASK);
    stream_put(stream, wire_first(WIRE_UNMAP) | BASE); /* not whole */
    stream_decode(stream);
    stream_bare_allocation(stream, 0x1000, 10);
    stream_decode(stream);
    assert_int_equal(process_lost(process), 5);
    assert_int_equal(process->book.sums.bytes, 10);
    stream_check_history(stream);
}

/* Random mapping and unmapping by lines, with failures, against pages. */
static void test_random_against_model(void **state)
{
    enum { LINES = 12, EVENTS = 30000 };
    struct stream *stream = *state;
    int owner[PAGES] = {0}; /* line + 1 */
    uint64_t random = 5;
    stream_code(stream, 2, "/a.py", "f", 1);
    for (int event = 0; event < EVENTS; event++) {
        uint32_t first = below(&random, PAGES - 1), count = 1 + below(&random, 20);
        count = first + count < PAGES ? count : PAGES - first;
        uint32_t kind = below(&random, 5);
        int line = (int)below(&random, LINES);
        if (kind < 2) {
            stream_frame(stream, 0, 2, (uint32_t)line);
            stream_put(stream, wire_first(WIRE_ALLOCATION) |
                                   (uint64_t)WIRE_ALLOCATOR_MMAP << WIRE_ALLOCATOR_SHIFT |
                                   (uint64_t)WIRE_DEPTH_CHANGE_BIAS << WIRE_DEPTH_CHANGE_SHIFT |
                                   (BASE + first * PAGE));
            stream_put(stream, count * PAGE << WIRE_SIZE_SHIFT);
        } else {
            stream_unmap(stream, 0, BASE + first * PAGE, count * PAGE);
            if (kind == 2)
                stream_unmap_failed(stream, 0, BASE + first * PAGE, count * PAGE);
        }
        for (uint32_t page = first; kind != 2 && page < first + count; page++)
            owner[page] = kind < 2 ? line + 1 : 0;
        stream_decode(stream);
    }
    uint64_t expected[LINES + 1] = {0}, found[LINES + 1] = {0};
    for (unsigned page = 0; page < PAGES; page++)
        expected[owner[page]] += owner[page] ? PAGE : 0;
    for (uint32_t i = 1; i < stream->process->book.counters.count; i++) {
        const struct counter *counter = counters_at(&stream->process->book.counters, i);
        uint32_t location = stack_tree_node(&stream->run.stacks.tree, counter->node)->location;
        found[codes_location(&stream->run.stacks.codes, location)->line] += counter->bytes;
    }
    assert_memory_equal(found, expected, sizeof found);
    assert_int_equal(process_lost(stream->process), 0);
    stream_check_history(stream);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ranges_against_pages),
        cmocka_unit_test(test_many_ranges),
        cmocka_unit_test_setup_teardown(test_parts_and_holes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_overlays, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_failed_unmap_changes_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_failed_unmap_of_what_has_changed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_temporary_mappings, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_mappings_that_cannot_be, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_random_against_model, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
