/*
 * Questions to made-up recordings: rows add up, whatever they are grouped by; cumulated rows are
 * what a plain count finds; damage is refused.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "unit.h"

#include "recording_maker.h"
#include "viewer/question/answer.h"
#include "viewer/recording/counters.h"
#include "viewer/recording/loading.h"
#include "wire.h"
#include "viewer/recording/source.h"

static const struct made_recording made = {
    .processes = 2,
    .nodes = 6000,
    .counters = 9000,
    .locations = 250,
    .depth = 15,
    .seed = 1,
};

struct fixture {
    char path[64];
    struct recording recording;
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
    return recording_make(fixture->path, &made) &&
                   recording_init(&fixture->recording, fixture->path, NULL)
               ? 0
               : -1;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    recording_deinit(&fixture->recording);
    unlink(fixture->path);
    free(fixture);
    return 0;
}

static struct query query_by(enum group_by by, enum moment_kind moment)
{
    struct query query;
    query_init(&query);
    query.by = by;
    query.at.kind = moment;
    query.limit = 0;
    return query;
}

static void add(struct row *sum, const struct row *row)
{
    sum->bytes += row->bytes;
    sum->blocks += row->blocks;
    sum->allocated_bytes += row->allocated_bytes;
    sum->allocations += row->allocations;
}

static void assert_same(const struct row *a, const struct row *b)
{
    assert_int_equal(a->bytes, b->bytes);
    assert_int_equal(a->blocks, b->blocks);
    assert_int_equal(a->allocated_bytes, b->allocated_bytes);
    assert_int_equal(a->allocations, b->allocations);
}

static struct row sum_of(const struct answer *answer)
{
    struct row sum = {0};
    for (size_t i = 0; i < answer->row_count; i++)
        add(&sum, &answer->rows[i]);
    return sum;
}

static uint64_t total_of(const struct sums *sums, enum moment_kind moment)
{
    const uint64_t bytes[] = {sums->peak_bytes, sums->end_bytes, sums->leaked_bytes};
    return bytes[moment];
}

static void test_rows_add_up(void **state)
{
    struct fixture *fixture = *state;
    for (enum group_by by = GROUP_BY_LINE; by <= GROUP_BY_PROCESS; by++)
        for (enum moment_kind moment = MOMENT_PEAK; moment <= MOMENT_EXIT; moment++) {
            struct query query = query_by(by, moment);
            struct answer answer;
            assert_true(answer_init(&answer, &fixture->recording, &query));
            struct row sum = sum_of(&answer);
            assert_same(&sum, &answer.view);
            assert_int_equal(sum.bytes, total_of(&answer.totals.sums, moment));
            assert_int_equal(sum.allocations, answer.totals.sums.allocations);
            assert_true(moment == MOMENT_PEAK ? answer.time == 1.5 : isnan(answer.time));
            answer_deinit(&answer);
        }
}

static void test_limit(void **state)
{
    struct fixture *fixture = *state;
    struct query query = query_by(GROUP_BY_STACK, MOMENT_PEAK);
    struct answer all, few;
    assert_true(answer_init(&all, &fixture->recording, &query));
    for (enum sort sort = SORT_BYTES; sort <= SORT_NAME; sort++) {
        query.sort = sort;
        query.limit = 0;
        answer_deinit(&all);
        assert_true(answer_init(&all, &fixture->recording, &query));
        query.limit = 17;
        assert_true(answer_init(&few, &fixture->recording, &query));
        assert_int_equal(few.row_count, 17);
        assert_int_equal(few.rows_omitted, all.row_count - 17);
        for (size_t i = 0; i < few.row_count; i++) {
            assert_int_equal(few.rows[i].key, all.rows[i].key);
            assert_same(&few.rows[i], &all.rows[i]);
        }
        struct row sum = sum_of(&few);
        add(&sum, &few.omitted);
        assert_same(&sum, &all.view);
        answer_deinit(&few);
    }
    answer_deinit(&all);
}

/* Counts each key of each stack once, the slow way. */
struct slow_count {
    const struct grouping *grouping;
    struct row *rows;
};

static void count_slowly(void *context, size_t process, uint32_t number,
                         const struct counter_row *counter, bool inherited)
{
    (void)inherited;
    (void)process, (void)number;
    struct slow_count *count = context;
    const struct stacks *stacks = &count->grouping->recording->stacks;
    struct row row = {
        .bytes = counter->end_bytes,
        .blocks = counter->end_blocks,
        .allocated_bytes = counter->allocated_bytes,
        .allocations = counter->allocations,
    };
    uint32_t seen[256];
    size_t seen_count = 0;
    uint32_t node = counter->node;
    do {
        uint32_t key = count->grouping->keys[stacks->location[node]];
        bool is_new = counter->node == 0 || node != 0;
        for (size_t i = 0; i < seen_count; i++)
            is_new &= seen[i] != key;
        if (is_new) {
            assert_true(seen_count < sizeof seen / sizeof *seen);
            seen[seen_count++] = key;
            add(&count->rows[key], &row);
        }
        node = stacks->parent[node];
    } while (node);
}

static void check_cumulative(struct fixture *fixture, enum group_by by)
{
    struct query query = query_by(by, MOMENT_END);
    query.cumulative = true;
    struct answer answer;
    assert_true(answer_init(&answer, &fixture->recording, &query));
    struct slow_count count = {&answer.grouping,
                               calloc(answer.grouping.key_count, sizeof(struct row))};
    for (size_t i = 0; i < fixture->recording.process_count; i++)
        assert_true(counters_visit(&fixture->recording, i, count_slowly, &count));
    for (size_t i = 0; i < answer.row_count; i++) {
        assert_same(&answer.rows[i], &count.rows[answer.rows[i].key]);
        count.rows[answer.rows[i].key] = (struct row){0};
    }
    for (uint32_t key = 0; key < answer.grouping.key_count; key++)
        assert_int_equal(count.rows[key].allocations, 0);
    assert_int_equal(answer.view.bytes, answer.totals.sums.end_bytes);
    free(count.rows);
    answer_deinit(&answer);
}

static void test_cumulative(void **state)
{
    check_cumulative(*state, GROUP_BY_LINE);
    check_cumulative(*state, GROUP_BY_FILE);
    check_cumulative(*state, GROUP_BY_FUNCTION);
}

static void test_filters_are_parts_of_the_whole(void **state)
{
    struct fixture *fixture = *state;
    const char *pattern[] = {"module1.py"};
    struct query query = query_by(GROUP_BY_THREAD, MOMENT_PEAK);
    struct answer answer;
    assert_true(answer_init(&answer, &fixture->recording, &query));
    struct row whole = answer.view, parts = {0};
    answer_deinit(&answer);
    for (int excluded = 0; excluded < 2; excluded++) {
        struct globs globs = {pattern, 1};
        query.include = excluded ? (struct globs){0} : globs;
        query.exclude = excluded ? globs : (struct globs){0};
        for (unsigned allocator = 0; allocator < WIRE_ALLOCATOR_COUNT; allocator++)
            for (int64_t pid = 1001; pid <= 1002; pid++) {
                query.allocators = 1u << allocator;
                query.pids = &pid;
                query.pid_count = 1;
                assert_true(answer_init(&answer, &fixture->recording, &query));
                assert_int_equal(answer.process_count, 1);
                add(&parts, &answer.view);
                answer_deinit(&answer);
            }
    }
    assert_same(&parts, &whole);
}

static void test_globs(void **state)
{
    (void)state;
    const char *patterns[] = {"app.py", "*/site-packages/*"};
    struct globs globs = {patterns, 2};
    assert_true(globs_match(&globs, "app.py"));
    assert_true(globs_match(&globs, "/srv/app.py"));
    assert_true(globs_match(&globs, "/usr/lib/site-packages/a/b.py"));
    assert_false(globs_match(&globs, "/srv/myapp.py"));
    assert_false(globs_match(&globs, "/srv/app.py/x"));
    assert_false(globs_match(&(struct globs){0}, "app.py"));
}

static void test_source_lines(void **state)
{
    struct fixture *fixture = *state;
    struct sources sources;
    sources_init(&sources, &fixture->recording);
    char *line = sources_line(&sources, 1, 999);
    assert_string_equal(line, "999 bottles of beer");
    free(line);
    assert_null(sources_line(&sources, 1, 0));
    assert_null(sources_line(&sources, 1, -5));
    assert_null(sources_line(&sources, 1, 1001));
    assert_null(sources_line(&sources, 2, 1));
    sources_deinit(&sources);
}

/* Opens what is at the path and asks it; what comes out must be an answer or a reason. */
static bool ask(const char *path)
{
    struct recording recording;
    struct answer answer;
    struct query query = query_by(GROUP_BY_LINE, MOMENT_PEAK);
    bool good = recording_init(&recording, path, NULL);
    if (good) {
        good = answer_init(&answer, &recording, &query);
        answer_deinit(&answer);
    }
    if (!good) {
        assert_non_null(strstr(recording_problem(&recording), path));
        assert_null(strchr(recording_problem(&recording), '\n'));
    }
    recording_deinit(&recording);
    return good;
}

static void test_changed_recordings_are_refused(void **state)
{
    static const char *const changes[] = {
        "PRAGMA user_version = 8",
        "PRAGMA application_id = 1",
        "DELETE FROM run",
        "DELETE FROM process WHERE id = 2",
        "DELETE FROM node_chunk",
        "DELETE FROM counter_chunk WHERE process = 1",
        "DELETE FROM location",
        "DELETE FROM code WHERE id = 1",
        "DELETE FROM file",
        "DELETE FROM thread WHERE id = 2",
        "DROP TABLE source",
        "DROP TABLE module",
        "UPDATE file SET module = 7",
        "DROP TABLE file; CREATE VIEW file AS SELECT 1 AS id, 'x' AS path",
        "UPDATE process SET peak_bytes = peak_bytes + 1 WHERE id = 1",
        "UPDATE process SET allocations = -1",
        "UPDATE process SET allocated_bytes = 9223372036854775807",
        "UPDATE process SET command = '[1]'",
        "UPDATE node_chunk SET first = first + 1",
        "UPDATE node_chunk SET count = count - 1",
        "UPDATE node_chunk SET data = x''",
        "UPDATE counter_chunk SET count = 0",
        "UPDATE counter_chunk SET process = 9 WHERE process = 2",
        "UPDATE location SET line = 1 << 40",
        "INSERT INTO location VALUES (1 << 30, 1, 1)",
        "UPDATE run SET command = 'no list'",
        "DELETE FROM run_peak",
        "DELETE FROM run_peak_process WHERE process = 1",
        "DROP TABLE run_peak",
        "DROP TABLE run_peak_process; CREATE VIEW run_peak_process AS SELECT 1 AS process",
        "UPDATE run_peak SET bytes = bytes + 1",
        "UPDATE run_peak SET blocks = -1",
        "UPDATE run_peak SET time = -1.0",
        "UPDATE run_peak_process SET process = 7 WHERE process = 2",
        "UPDATE run_peak_process SET events = 1 << 40",
        "UPDATE run_peak_process SET bytes = bytes + 1 WHERE process = 1; "
        "UPDATE run_peak SET bytes = bytes + 1",
        "UPDATE run_peak_process SET blocks = 9223372036854775807",
    };
    (void)state;
    char path[] = "/tmp/heapline-test-XXXXXX";
    int file = mkstemp(path);
    assert_true(file >= 0);
    close(file);
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        unlink(path);
        assert_true(recording_make(path, &(struct made_recording){2, 50, 60, 30, 4, i}));
        assert_true(ask(path));
        sqlite3 *database;
        assert_int_equal(sqlite3_open(path, &database), SQLITE_OK);
        assert_int_equal(sqlite3_exec(database, changes[i], NULL, NULL, NULL), SQLITE_OK);
        sqlite3_close(database);
        if (ask(path))
            fail_msg("accepted after: %s", changes[i]);
    }
    unlink(path);
}

static void test_cut_recordings_are_refused(void **state)
{
    struct fixture *fixture = *state;
    struct stat status;
    char path[] = "/tmp/heapline-test-XXXXXX";
    int file = mkstemp(path);
    assert_true(file >= 0);
    close(file);
    unlink(path);
    assert_true(recording_make(path, &made));
    assert_int_equal(stat(fixture->path, &status), 0);
    for (off_t size = status.st_size - 1; size >= 0; size -= status.st_size / 50) {
        assert_int_equal(truncate(path, size), 0);
        assert_false(ask(path));
    }
    unlink(path);
    assert_false(ask(path));
    assert_false(ask("/tmp"));
    assert_false(ask("/dev/null"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows_add_up),
        cmocka_unit_test(test_limit),
        cmocka_unit_test(test_cumulative),
        cmocka_unit_test(test_filters_are_parts_of_the_whole),
        cmocka_unit_test(test_globs),
        cmocka_unit_test(test_source_lines),
        cmocka_unit_test(test_changed_recordings_are_refused),
        cmocka_unit_test(test_cut_recordings_are_refused),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
