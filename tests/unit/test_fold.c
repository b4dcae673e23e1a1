/*
 * Folded trees of made-up recordings: within their limits, heaviest first, and nothing is lost.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "unit.h"

#include "recording_maker.h"
#include "viewer/question/fold.h"
#include "viewer/recording/loading.h"

struct fixture {
    char path[64];
    struct recording recording;
    struct answer answer;
};

static int set_up(void **state)
{
    static const struct made_recording made = {2, 4000, 5000, 200, 20, 7};
    static struct fixture fixture;
    struct query query;
    snprintf(fixture.path, sizeof fixture.path, "/tmp/heapline-test-fold-%d", (int)getpid());
    *state = &fixture;
    query_init(&query);
    query.by = GROUP_BY_STACK;
    query.limit = 0;
    return recording_make(fixture.path, &made) &&
                   recording_init(&fixture.recording, fixture.path, NULL) &&
                   answer_init(&fixture.answer, &fixture.recording, &query)
               ? 0
               : -1;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    answer_deinit(&fixture->answer);
    recording_deinit(&fixture->recording);
    unlink(fixture->path);
    return 0;
}

static uint64_t weigh(const struct row *row)
{
    return row->bytes;
}

static uint32_t parent_of(const struct fixture *fixture, uint32_t key)
{
    return fixture->answer.grouping.keys[fixture->recording.stacks.parent[key]];
}

/* What the kept nodes stand for must be all, and each kept one's caller is kept before it. */
static void assert_sound(const struct fixture *fixture, const struct fold *fold)
{
    const struct answer *answer = &fixture->answer;
    bool *kept = calloc(answer->grouping.key_count, sizeof *kept);
    uint64_t sum = 0;
    for (size_t i = 0; i < fold->kept_count; i++) {
        uint32_t key = fold->kept[i];
        assert_true(i == 0 ? key == 0 : kept[parent_of(fixture, key)]);
        assert_true(i == 0 || fold->totals[key] <= fold->totals[fold->kept[i - 1]]);
        assert_int_equal(fold->stands[key], key);
        kept[key] = true;
    }
    for (size_t i = 0; i < answer->row_count; i++) {
        uint32_t key = answer->rows[i].key, stands = fold->stands[key];
        assert_true(kept[stands]);
        while (!kept[key])
            key = parent_of(fixture, key);
        assert_int_equal(key, stands);
        sum += weigh(&answer->rows[i]);
    }
    assert_int_equal(sum, answer->view.bytes);
    assert_int_equal(fold->totals[0], answer->view.bytes);
    free(kept);
}

static void test_what_fits_is_kept(void **state)
{
    struct fixture *fixture = *state;
    const struct fold_limits limits = {100000, 1000000};
    struct fold fold;
    fold_init(&fold, &fixture->answer, weigh, &limits);
    assert_sound(fixture, &fold);
    for (size_t i = 0; i < fixture->answer.row_count; i++) {
        const struct row *row = &fixture->answer.rows[i];
        assert_true(!row->bytes || fold.stands[row->key] == row->key);
    }
    fold_deinit(&fold);
}

static void test_limits(void **state)
{
    struct fixture *fixture = *state;
    static const struct fold_limits limits[] = {{1, 1000000}, {2, 1000000}, {300, 1000000},
                                                {100000, 0},  {100000, 40}, {100000, 5000}};
    for (size_t i = 0; i < sizeof limits / sizeof *limits; i++) {
        struct fold fold;
        size_t frames = 0;
        fold_init(&fold, &fixture->answer, weigh, &limits[i]);
        assert_sound(fixture, &fold);
        assert_true(fold.kept_count == 1 || 2 * fold.kept_count <= limits[i].nodes);
        for (size_t j = 1; j < fold.kept_count; j++)
            frames += 2 * fold.depths[fold.kept[j]] + 1;
        assert_true(frames <= limits[i].frames);
        fold_deinit(&fold);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_fits_is_kept),
        cmocka_unit_test(test_limits),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
