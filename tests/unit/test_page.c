/*
 * What the interactive page is made of: however little room there is, sums stay what they are.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "unit.h"

#include "recording_maker.h"
#include "viewer/base/cleanup.h"
#include "viewer/html/bytes.h"
#include "viewer/html/changes.h"
#include "viewer/html/importance.h"
#include "viewer/html/page_names.h"
#include "viewer/html/page_rows.h"
#include "viewer/html/page_threads.h"
#include "viewer/html/time_grid.h"
#include "viewer/recording/loading.h"

static const struct made_recording made = {
    .processes = 2,
    .nodes = 6000,
    .counters = 9000,
    .locations = 250,
    .depth = 15,
    .seed = 3,
};

struct fixture {
    char path[64];
    struct recording recording;
    size_t list[2];
    struct peak peak;
    struct run_end run_end;
    struct page_processes processes;
    struct query query;
};

static int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    strcpy(fixture->path, "/tmp/heapline-test-XXXXXX");
    int file = mkstemp(fixture->path);
    if (file < 0)
        return -1;
    close(file);
    unlink(fixture->path);
    *state = fixture;
    fixture->list[1] = 1;
    fixture->processes =
        (struct page_processes){fixture->list, 2, &fixture->peak, &fixture->run_end};
    query_init(&fixture->query);
    return recording_make(fixture->path, &made) &&
                   recording_init(&fixture->recording, fixture->path, NULL) &&
                   peak_init(&fixture->peak, &fixture->recording, fixture->list, 2) &&
                   run_end_find(&fixture->run_end, &fixture->recording, fixture->list, 2)
               ? 0
               : -1;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    peak_deinit(&fixture->peak);
    recording_deinit(&fixture->recording);
    unlink(fixture->path);
    free(fixture);
    return 0;
}

/* --- bytes --- */

static void check_base64(const char *plain, const char *expected)
{
    CLEANUP(bytes_deinit) struct bytes bytes = {0};
    bytes_put_text(&bytes, plain, strlen(plain));
    CLEANUP(cleanup_free) char *text = bytes_base64(&bytes);
    assert_string_equal(text, expected);
}

static void test_base64(void **state)
{
    (void)state;
    check_base64("", "");
    check_base64("f", "Zg==");
    check_base64("fo", "Zm8=");
    check_base64("foo", "Zm9v");
    check_base64("foobar\xff", "Zm9vYmFy/w==");
}

static void test_long_names_are_cut(void **state)
{
    (void)state;
    CLEANUP(cleanup_free) char *same = page_text_cut("as it is", 8);
    assert_string_equal(same, "as it is");
    CLEANUP(cleanup_free) char *cut = page_text_cut("0123456789abcdef", 8);
    assert_string_equal(cut, "0123… (10 bytes left out) …ef");
    /* Never within a character. */
    CLEANUP(cleanup_free) char *whole = page_text_cut("ééééééééé", 9);
    assert_string_equal(whole, "éé… (12 bytes left out) …é");
}

/* --- importance --- */

static void test_the_most_important_are_a_tree(void **state)
{
    (void)state;
    enum { NODES = 2000 };
    struct weights *weights = calloc(NODES, sizeof *weights);
    uint32_t parent[NODES] = {0};
    bool kept[NODES];
    for (uint32_t i = 1; i < NODES; i++) {
        parent[i] = i * 7 % i;
        for (unsigned k = 0; k < MEASURE_COUNT; k++)
            weights[i].of[k] = (i * 31 + k) % 9;
    }
    CLEANUP(cleanup_free) float *importance = importance_of(weights, parent, NODES);
    for (size_t most = 1; most < NODES; most = most * 3 + 1) {
        size_t chosen = importance_choose(importance, NODES, most, kept);
        assert_true(chosen >= 1 && chosen <= most + 1);
        for (uint32_t i = 1; i < NODES; i++)
            assert_true(!kept[i] || kept[parent[i]]);
    }
    free(weights);
}

/* --- threads --- */

/* The first process has two threads more than the page shows, one of them in the rest that its
 * others are in; of many more processes not even the rests are told apart. */
static void test_the_rest_of_the_threads(void **state)
{
    (void)state;
    enum { OTHERS = PAGE_THREADS_MAX + 44 };
    CLEANUP(page_threads_deinit) struct page_threads threads = {0};
    for (uint32_t i = 0; i < PAGE_THREADS_MAX + 2; i++)
        assert_int_equal(page_threads_find(&threads, 0, i, 1000 + i), i);
    for (uint32_t i = 1; i <= OTHERS; i++)
        page_threads_find(&threads, i, 1, 1);
    assert_int_equal(page_threads_find(&threads, 0, 1, 5000), 1);
    page_threads_choose(&threads);
    assert_int_equal(threads.count, PAGE_THREADS_MAX + PAGE_THREADS_MAX + 1);
    /* By weight: the one that was met twice is the heaviest, and 0 and 2 are the lightest. */
    assert_int_equal(threads.page_thread_of[1], 0);
    for (uint32_t i = 3; i < PAGE_THREADS_MAX + 2; i++) {
        uint32_t number = threads.page_thread_of[i];
        assert_int_equal(number, PAGE_THREADS_MAX + 2 - i);
        assert_int_equal(threads.list[number].thread, i);
        assert_int_equal(threads.list[number].summed, 1);
    }
    uint32_t rest = threads.page_thread_of[0];
    assert_int_equal(threads.page_thread_of[2], rest);
    assert_int_equal(rest, PAGE_THREADS_MAX);
    assert_int_equal(threads.list[rest].process, 0);
    assert_int_equal(threads.list[rest].thread, PAGE_REST);
    assert_int_equal(threads.list[rest].summed, 2);
    const struct page_thread *last = &threads.list[threads.count - 1];
    assert_int_equal(last->process, PAGE_REST);
    assert_int_equal(last->summed, OTHERS - (PAGE_THREADS_MAX - 1));
}

/* --- time --- */

static void test_levels_of_the_grid(void **state)
{
    (void)state;
    const uint64_t pinned[] = {333, 777777, 5000000, 999};
    CLEANUP(time_grid_deinit) struct time_grid grid;
    time_grid_init(&grid, 1000000, 100, pinned, 4);
    assert_int_equal(grid.count, 101 + 3); /* one is behind the end */
    assert_int_equal(time_grid_buckets(&grid, 0), grid.count - 1);
    for (unsigned level = 0; level < TIME_GRID_LEVELS; level++) {
        size_t buckets = time_grid_buckets(&grid, level);
        CLEANUP(cleanup_free) uint32_t *map = time_grid_map(&grid, level);
        assert_int_equal(map[0], 0);
        assert_int_equal(map[grid.count - 2], buckets - 1);
        for (size_t i = 1; i + 1 < grid.count; i++)
            assert_true(map[i] == map[i - 1] || map[i] == map[i - 1] + 1);
    }
    assert_int_equal(time_grid_buckets(&grid, TIME_GRID_LEVELS - 1), 4);
}

/* --- rows --- */

static void check_rows(struct fixture *fixture, struct page_limits limits)
{
    CLEANUP(page_rows_deinit) struct page_rows rows;
    assert_true(
        page_rows_init(&rows, &fixture->recording, &fixture->query, fixture->processes, limits));
    assert_true(rows.tree.count <= limits.nodes && rows.count <= limits.rows);
    struct sums sums = {0}, expected = {0};
    for (uint32_t i = 0; i < rows.count; i++) {
        sums.peak_bytes += rows.list[i].own_peak.bytes;
        sums.end_blocks += rows.list[i].end.blocks;
        sums.leaked_bytes += rows.list[i].leaked.bytes;
        sums.allocations += rows.list[i].allocations;
        sums.allocated_bytes += rows.list[i].allocated_bytes;
    }
    for (size_t i = 0; i < 2; i++) {
        const struct sums *of = &fixture->recording.processes[i].sums;
        expected.peak_bytes += of->peak_bytes;
        expected.end_blocks += of->end_blocks;
        expected.leaked_bytes += of->leaked_bytes;
        expected.allocations += of->allocations;
        expected.allocated_bytes += of->allocated_bytes;
    }
    assert_memory_equal(&sums, &expected, sizeof sums);
    for (uint32_t i = 1; i < rows.tree.count; i++)
        assert_true(rows.tree.parent[i] < i);
}

static void test_rows_in_any_size(void **state)
{
    check_rows(*state, (struct page_limits){100000, 100000});
    check_rows(*state, (struct page_limits){4000, 100000});
    check_rows(*state, (struct page_limits){100000, 2000});
    check_rows(*state, (struct page_limits){300, 400});
    check_rows(*state, (struct page_limits){10, 200});
}

/* Bytes by place of the innermost frame, which folding keeps. */
static uint64_t *bytes_by_place(const struct page_rows *rows, size_t places)
{
    uint64_t *bytes = calloc(places, sizeof *bytes);
    for (uint32_t i = 0; i < rows->count; i++)
        bytes[rows->tree.place[rows->list[i].node]] += rows->list[i].own_peak.bytes;
    return bytes;
}

static void test_folding_keeps_lines(void **state)
{
    struct fixture *fixture = *state;
    size_t places = PLACE_FIRST + fixture->recording.symbols.frame_count;
    uint64_t *bytes[2];
    const uint32_t nodes[] = {100000, 3000};
    for (size_t i = 0; i < 2; i++) {
        CLEANUP(page_rows_deinit) struct page_rows rows;
        assert_true(page_rows_init(&rows, &fixture->recording, &fixture->query, fixture->processes,
                                   (struct page_limits){nodes[i], 100000}));
        assert_true((rows.kept_count == rows.stack_count) == (i == 0));
        bytes[i] = bytes_by_place(&rows, places);
    }
    assert_memory_equal(bytes[0], bytes[1], places * sizeof **bytes);
    free(bytes[0]);
    free(bytes[1]);
}

/* --- what happened over time --- */

/* The same made-up life of rows for every test. */
static void live(struct changes *changes, uint32_t rows, uint32_t buckets)
{
    for (uint32_t bucket = 0; bucket < buckets; bucket++) {
        changes_enter(changes, bucket);
        for (uint32_t i = 0; i < 50; i++) {
            uint32_t row = (bucket * 37 + i * i) % rows, born = bucket - bucket % (i + 1);
            struct change *change = changes_at(changes, row);
            change->allocations += 3;
            change->allocated_bytes += 100 + i;
            change->blocks += 2;
            change->bytes += 70;
            changes_die(changes, row, born, 1, 10 + i);
        }
    }
    changes_finish(changes);
}

static int64_t bytes_until(const struct changes *changes, uint32_t bucket)
{
    CLEANUP(cleanup_free)
    uint32_t *map = time_grid_map(changes->grid, changes->level);
    int64_t bytes = 0;
    for (size_t i = 0; i < changes->count; i++)
        if (changes->list[i].bucket < map[bucket])
            bytes += changes->list[i].bytes;
    return bytes;
}

/* Freed in buckets [from, to) of what was there before. */
static int64_t freed_between(const struct changes *changes, uint32_t from, uint32_t to)
{
    CLEANUP(cleanup_free)
    uint32_t *map = time_grid_map(changes->grid, changes->death_level);
    int64_t bytes = 0;
    for (size_t i = 0; i < changes->death_count; i++) {
        const struct death *death = &changes->deaths[i];
        if (death->died >= map[from] && death->died < map[to] && death->born < map[from])
            bytes += death->bytes;
    }
    return bytes;
}

static void test_less_room_is_exact_at_edges(void **state)
{
    struct fixture *fixture = *state;
    CLEANUP(time_grid_deinit) struct time_grid grid;
    time_grid_init(&grid, 1000000, 1000, NULL, 0);
    CLEANUP(page_rows_deinit) struct page_rows rows;
    assert_true(page_rows_init(&rows, &fixture->recording, &fixture->query, fixture->processes,
                               (struct page_limits){100000, 100000}));
    uint32_t count = rows.count;
    CLEANUP(changes_deinit) struct changes all, few;
    changes_init(&all, &rows, &grid, 1000000, 1000000);
    live(&all, count, 1000);
    assert_int_equal(all.level, 0);
    assert_int_equal(all.death_level, 0);
    changes_init(&few, &rows, &grid, 5000, 3000);
    live(&few, count, 1000);
    assert_true(few.count <= 5000 && few.death_count <= 3000);
    assert_true(few.death_level >= few.level && few.nodes_kept > 0);
    for (uint32_t i = 1; i < 999; i++) {
        if (grid.levels[i] >= few.level)
            assert_int_equal(bytes_until(&all, i), bytes_until(&few, i));
        if (grid.levels[i] >= few.death_level)
            for (uint32_t k = i + 1; k < 999; k++)
                if (grid.levels[k] >= few.death_level)
                    assert_int_equal(freed_between(&all, i, k), freed_between(&few, i, k));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_base64),
        cmocka_unit_test(test_long_names_are_cut),
        cmocka_unit_test(test_the_most_important_are_a_tree),
        cmocka_unit_test(test_the_rest_of_the_threads),
        cmocka_unit_test(test_levels_of_the_grid),
        cmocka_unit_test_setup_teardown(test_rows_in_any_size, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_folding_keeps_lines, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_less_room_is_exact_at_edges, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
