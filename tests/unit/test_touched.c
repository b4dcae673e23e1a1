/*
 * What is touched of a process's memory, and what its mappings are: exact numbers where looks say
 * all, and invariants where records come at random.
 */
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "unit.h"

#include "collector/book/book_reader.h"
#include "collector/book/mapping_events.h"
#include "collector/book/run_peak.h"
#include "collector/book/touched.h"
#include "collector/stream/decode.h"
#include "collector/system/pages.h"
#include "stream.h"

#define MEBI  (UINT64_C(1) << 20)
#define BASE  (UINT64_C(1) << 32)
#define SMALL 1000u

static int set_up(void **state)
{
    struct stream *stream = calloc(1, sizeof *stream);
    stream_init(stream, 16, true);
    *state = stream;
    return 0;
}

static int tear_down(void **state)
{
    stream_check_sums(*state);
    stream_check_history(*state);
    stream_deinit(*state);
    free(*state);
    return 0;
}

static const struct heap_sums *sums_of(struct stream *stream)
{
    stream_decode(stream);
    stream_check_sums(stream);
    return &stream->process->book.sums;
}

static uint64_t touched_now(struct stream *stream)
{
    const struct heap_sums *sums = sums_of(stream);
    return sums->bytes - sums->untouched;
}

/* --- records --- */

static void map(struct stream *stream, unsigned allocator, uint64_t address, uint64_t size)
{
    uint64_t first = wire_first(WIRE_ALLOCATION) | (uint64_t)allocator << WIRE_ALLOCATOR_SHIFT |
                     (uint64_t)WIRE_DEPTH_CHANGE_BIAS << WIRE_DEPTH_CHANGE_SHIFT | address;
    stream_put(stream, first | WIRE_WIDE_BIT);
    stream_put(stream, WIRE_NO_STACK_BIT);
    stream_put(stream, size);
}

static void present(struct stream *stream, uint64_t address, uint64_t bytes)
{
    stream_put(stream, wire_extended(WIRE_EXTENDED_PRESENT, 2));
    stream_put(stream, address);
    stream_put(stream, bytes);
}

static void unmap(struct stream *stream, uint64_t address, uint64_t size, uint64_t found)
{
    stream_put(stream, wire_first(WIRE_UNMAP) | address);
    stream_put(stream, size | WIRE_LOOKED_BIT);
    stream_put(stream, found);
}

static void empty(struct stream *stream, uint64_t address, uint64_t size, uint64_t found)
{
    stream_put(stream, wire_extended(WIRE_EXTENDED_EMPTIED, 3));
    stream_put(stream, address);
    stream_put(stream, size | WIRE_LOOKED_BIT);
    stream_put(stream, found);
}

static void make_accessible(struct stream *stream, uint64_t address, uint64_t size)
{
    stream_put(stream, wire_extended(WIRE_EXTENDED_ACCESSIBLE, 3));
    stream_put(stream, WIRE_NO_STACK_BIT);
    stream_put(stream, address);
    stream_put(stream, size);
}

static void realloc_free(struct stream *stream, uint64_t address)
{
    stream_put(stream, wire_first(WIRE_REALLOC_FREE) | address);
}

/* As a look from outside, between batches. */
static void refill(struct stream *stream, uint64_t address, uint64_t size, uint64_t found)
{
    const struct address_range range = {address, size};
    stream_decode(stream);
    run_peak_begin(&stream->run.ledger, &stream->process->book);
    mapping_events_refill(&stream->run.ledger, &stream->process->book, &range, found);
    run_peak_end(&stream->run.ledger, &stream->process->book);
}

/* --- blocks --- */

static void test_a_large_block_counts_by_what_is_in_memory(void **state)
{
    struct stream *stream = *state;
    stream_allocation(stream, 0, 0x1000, SMALL);
    stream_allocation(stream, 0, BASE, 10 * MEBI);
    assert_int_equal(touched_now(stream), SMALL);
    present(stream, BASE, 3 * MEBI);
    assert_int_equal(touched_now(stream), SMALL + 3 * MEBI);
    stream_free(stream, BASE);
    const struct heap_sums *sums = sums_of(stream);
    assert_int_equal(sums->untouched, 0);
    assert_int_equal(sums->peak.bytes, SMALL + 10 * MEBI);
    assert_int_equal(sums->touched.bytes, SMALL + 3 * MEBI);
    assert_int_equal(sums->touched.blocks, 2);
    assert_int_equal(sums->touched.events, 2);
}

/* The peak of what is touched is another moment, with another composition. */
static void test_two_peaks(void **state)
{
    struct stream *stream = *state;
    stream_code(stream, 2, "/a.py", "f", 1);
    stream_frame(stream, 0, 2, 0);
    stream_allocation(stream, 0, BASE, 100 * MEBI); /* never touched */
    stream_free(stream, BASE);
    stream_frame(stream, 0, 2, 1);
    stream_allocation(stream, 0, BASE, 20 * MEBI);
    present(stream, BASE, 20 * MEBI);
    stream_free(stream, BASE);
    const struct heap_sums *sums = sums_of(stream);
    assert_int_equal(sums->peak.bytes, 100 * MEBI);
    assert_int_equal(sums->touched.bytes, 20 * MEBI);
    assert_false(book_touched_is_peak(&stream->process->book));
    struct live_row first = book_touched(&stream->process->book, 1);
    struct live_row second = book_touched(&stream->process->book, 2);
    assert_int_equal(first.blocks, 0);
    assert_int_equal(second.bytes, 20 * MEBI);
    const struct book_totals totals = book_totals(&stream->process->book);
    assert_int_equal(totals.largest_untouched, 100 * MEBI);
}

static void test_what_a_realloc_brings_along(void **state)
{
    struct stream *stream = *state;
    stream_allocation(stream, 0, BASE, 4 * MEBI);
    present(stream, BASE, 2 * MEBI);
    realloc_free(stream, BASE);
    stream_allocation(stream, 0, BASE, 8 * MEBI);
    assert_int_equal(touched_now(stream), 2 * MEBI);
    /* What is smaller counts in full, and is brought along as such. */
    stream_allocation(stream, 0, 0x1000, MEBI - 1);
    realloc_free(stream, 0x1000);
    stream_allocation(stream, 0, 2 * BASE, 2 * MEBI);
    assert_int_equal(touched_now(stream), 2 * MEBI + MEBI - 1);
    /* Another allocation of the thread's is none of the realloc's. */
    realloc_free(stream, 2 * BASE);
    stream_allocation(stream, 0, 0x1000, 1);
    stream_allocation(stream, 0, 2 * BASE, 2 * MEBI);
    assert_int_equal(touched_now(stream), 2 * MEBI + 1);
}

static void test_a_realloc_that_fails(void **state)
{
    struct stream *stream = *state;
    stream_allocation(stream, 0, BASE, 4 * MEBI);
    present(stream, BASE, 3 * MEBI);
    realloc_free(stream, BASE);
    stream_put(stream, wire_first(WIRE_REALLOC_FAILED) | BASE);
    assert_int_equal(touched_now(stream), 3 * MEBI);
    present(stream, BASE, 4 * MEBI);
    assert_int_equal(touched_now(stream), 4 * MEBI);
}

static void test_where_nobody_can_look(void **state)
{
    struct stream *stream = *state;
    stream_allocation(stream, 0, BASE, 4 * MEBI);
    stream_decode(stream);
    run_peak_begin(&stream->run.ledger, &stream->process->book);
    touched_hide(&stream->process->book);
    run_peak_end(&stream->run.ledger, &stream->process->book);
    assert_int_equal(touched_now(stream), 4 * MEBI);
    stream_allocation(stream, 0, 2 * BASE, 4 * MEBI);
    present(stream, 2 * BASE, 1);
    assert_int_equal(touched_now(stream), 8 * MEBI);
}

/* --- mappings --- */

static void test_parts_of_a_mapping(void **state)
{
    struct stream *stream = *state;
    map(stream, WIRE_ALLOCATOR_MMAP, BASE, 10 * MEBI);
    unmap(stream, BASE + 2 * MEBI, 3 * MEBI, MEBI); /* one was touched */
    const struct heap_sums *sums = sums_of(stream);
    assert_int_equal(sums->bytes, 7 * MEBI);
    assert_int_equal(sums->untouched, 7 * MEBI);
    assert_int_equal(sums->touched.bytes, MEBI);
    unmap(stream, BASE, 10 * MEBI, 7 * MEBI);
    assert_int_equal(sums_of(stream)->touched.bytes, 7 * MEBI);
    assert_int_equal(sums->bytes, 0);
}

static void test_what_is_given_back_and_used_again(void **state)
{
    struct stream *stream = *state;
    map(stream, WIRE_ALLOCATOR_MMAP, BASE, 8 * MEBI);
    empty(stream, BASE, 6 * MEBI, 6 * MEBI);
    const struct heap_sums *sums = sums_of(stream);
    assert_int_equal(sums->bytes, 2 * MEBI);
    assert_int_equal(sums->touched.bytes, 6 * MEBI);
    refill(stream, BASE, 6 * MEBI, 2 * MEBI);
    assert_int_equal(sums_of(stream)->bytes, 4 * MEBI);
    assert_int_equal(touched_now(stream), 2 * MEBI);
    empty(stream, BASE, 8 * MEBI, 2 * MEBI); /* a block that holds nothing */
    assert_int_equal(sums_of(stream)->bytes, 0);
    assert_int_equal(sums->blocks, 0);
    refill(stream, BASE, 8 * MEBI, MEBI);
    assert_int_equal(sums_of(stream)->bytes, MEBI);
    assert_int_equal(sums->blocks, 1);
    unmap(stream, BASE, 8 * MEBI, MEBI);
    assert_int_equal(sums_of(stream)->blocks, 0);
    assert_int_equal(stream->process->book.unmatched_frees, 0);
}

static void test_address_space_is_no_memory(void **state)
{
    struct stream *stream = *state;
    map(stream, WIRE_ALLOCATOR_RESERVED, BASE, 1024 * MEBI);
    const struct heap_sums *sums = sums_of(stream);
    assert_int_equal(sums->bytes, 0);
    assert_int_equal(sums->by_allocator[WIRE_ALLOCATOR_RESERVED], 1024 * MEBI);
    make_accessible(stream, BASE + 16 * MEBI, 32 * MEBI);
    make_accessible(stream, BASE + 32 * MEBI, 32 * MEBI); /* half of it is already */
    assert_int_equal(sums_of(stream)->bytes, 48 * MEBI);
    assert_int_equal(sums->allocations, 2);
    assert_int_equal(sums->by_allocator[WIRE_ALLOCATOR_RESERVED], 976 * MEBI);
    map(stream, WIRE_ALLOCATOR_RESERVED, BASE, 40 * MEBI); /* that is how it is given back, too */
    assert_int_equal(sums_of(stream)->bytes, 24 * MEBI);
    unmap(stream, BASE, 1024 * MEBI, 0);
    assert_int_equal(sums_of(stream)->bytes, 0);
    assert_int_equal(sums->by_allocator[WIRE_ALLOCATOR_RESERVED], 0);
}

static void test_files_are_apart(void **state)
{
    struct stream *stream = *state;
    map(stream, WIRE_ALLOCATOR_FILE, BASE, 100 * MEBI);
    const struct heap_sums *sums = sums_of(stream);
    assert_int_equal(sums->bytes + sums->allocations + sums->peak.bytes, 0);
    empty(stream, BASE, 100 * MEBI, 0); /* a file's pages come back from the file */
    stream_put(stream, wire_first(WIRE_UNMAP) | BASE);
    stream_put(stream, 100 * MEBI);
    map(stream, WIRE_ALLOCATOR_MOVED, 2 * BASE, 200 * MEBI); /* mremap: a file still */
    assert_int_equal(sums_of(stream)->by_allocator[WIRE_ALLOCATOR_FILE], 200 * MEBI);
    assert_int_equal(sums->bytes, 0);
    assert_int_equal(sums->events, 3);
    map(stream, WIRE_ALLOCATOR_MMAP, 2 * BASE, MEBI); /* covers a part */
    assert_int_equal(sums_of(stream)->by_allocator[WIRE_ALLOCATOR_FILE], 199 * MEBI);
}

/* --- asking the kernel --- */

/* Both ways to ask say the same, to the byte: pages that were only read are none. */
static void test_which_pages_are_there(void **state)
{
    (void)state;
    const uint64_t page = 4096, size = 16 * MEBI;
    char *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(memory, MAP_FAILED);
    madvise(memory, size, MADV_NOHUGEPAGE);
    for (uint64_t i = 0; i < size / page; i++) {
        if (i % 3 == 0)
            memory[i * page] = 1;
        if (i % 3 == 1)
            (void)*(volatile char *)&memory[i * page];
    }
    uint64_t start = (uint64_t)(uintptr_t)memory, whole[2], part[2];
    struct pages pages;
    assert_true(pages_open(&pages, getpid()));
    for (int way = 0; way < 2; way++) {
        pages.cannot_scan = way;
        assert_true(pages_present(&pages, start, start + size, &whole[way]));
        assert_true(pages_present(&pages, start + 100, start + page, &part[way]));
    }
    pages_close(&pages);
    assert_int_equal(whole[0], (size / page + 2) / 3 * page);
    assert_int_equal(whole[1], whole[0]);
    assert_int_equal(part[0], page - 100);
    assert_int_equal(part[1], part[0]);
    munmap(memory, size);
}

/* --- anything at all --- */

static uint32_t below(uint64_t *random, uint32_t limit)
{
    *random = *random * UINT64_C(6364136223846793005) + 1442695040888963407u;
    return (uint32_t)(*random >> 33) % limit;
}

static void put_anything(struct stream *stream, uint64_t *random)
{
    uint64_t unit = MEBI / 2, address = BASE + below(random, 64) * unit;
    uint64_t size = (1 + below(random, 16)) * unit, found = below(random, 17) * unit;
    switch (below(random, 8)) {
    case 0:
    case 1:
        map(stream, WIRE_ALLOCATOR_MMAP + below(random, 3), address, size);
        break;
    case 2:
        make_accessible(stream, address, size);
        break;
    case 3:
        empty(stream, address, size, found);
        break;
    case 4:
        unmap(stream, address, size, found);
        if (below(random, 2))
            stream_unmap_failed(stream, 0, address, size);
        break;
    case 5:
        stream_allocation(stream, below(random, 3), 2 * BASE + below(random, 8) * 32 * unit, size);
        break;
    case 6:
        present(stream, below(random, 2) ? address : 2 * BASE + below(random, 8) * 32 * unit,
                found);
        break;
    default:
        if (below(random, 2))
            stream_free(stream, 2 * BASE + below(random, 8) * 32 * unit);
        else
            realloc_free(stream, 2 * BASE + below(random, 8) * 32 * unit);
    }
}

/* Only what was given back comes again. */
static void refill_anything(struct stream *stream, uint64_t *random)
{
    stream_decode(stream);
    const struct mappings *emptied = &stream->process->book.presence.emptied;
    uint32_t number = mappings_from(emptied, BASE + below(random, 64) * MEBI / 2);
    if (!number)
        return;
    const struct mapping_range range = *mappings_range(emptied, number);
    uint64_t bytes = range.end - range.start;
    refill(stream, range.start, bytes, below(random, (uint32_t)(bytes / 4096) + 1) * 4096ul);
}

static void test_random_records(void **state)
{
    struct stream *stream = *state;
    uint64_t random = 7;
    for (unsigned i = 0; i < 20000; i++) {
        put_anything(stream, &random);
        if (i % 3 == 0)
            stream_decode(stream);
        if (i % 7 == 0)
            refill_anything(stream, &random);
        if (i % 16 == 0)
            sums_of(stream);
    }
    assert_true(sums_of(stream)->touched.bytes > 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_a_large_block_counts_by_what_is_in_memory),
        TEST(test_two_peaks),
        TEST(test_what_a_realloc_brings_along),
        TEST(test_a_realloc_that_fails),
        TEST(test_where_nobody_can_look),
        TEST(test_parts_of_a_mapping),
        TEST(test_what_is_given_back_and_used_again),
        TEST(test_address_space_is_no_memory),
        TEST(test_files_are_apart),
        cmocka_unit_test(test_which_pages_are_there),
        TEST(test_random_records),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
