/*
 * Token guesses by address, and lines of the log that others can cause: with times that are made
 * up.
 */
#include "unit.h"

#include "collector/base/log.h"
#include "collector/daemon/guesses.h"

#define SECOND UINT64_C(1000000000)
#define START  (100 * SECOND)

static void test_an_address_may_be_wrong_a_few_times(void **state)
{
    (void)state;
    static struct guesses guesses;
    for (unsigned i = 0; i < GUESSES_FREE; i++) {
        assert_false(guesses_are_spent(&guesses, 1, START));
        guesses_note_wrong(&guesses, 1, START);
    }
    assert_true(guesses_are_spent(&guesses, 1, START));
    assert_false(guesses_are_spent(&guesses, 2, START));
    assert_false(guesses_are_spent(&guesses, 1, START + GUESSES_REFILL_NS));
    guesses_note_wrong(&guesses, 1, START + GUESSES_REFILL_NS);
    assert_true(guesses_are_spent(&guesses, 1, START + GUESSES_REFILL_NS));
    for (unsigned i = 0; i < GUESSES_FREE; i++) {
        assert_false(guesses_are_spent(&guesses, 1, START + 100 * SECOND));
        guesses_note_wrong(&guesses, 1, START + 100 * SECOND);
    }
    assert_true(guesses_are_spent(&guesses, 1, START + 100 * SECOND));
}

static void test_addresses_that_were_wrong_longest_ago_are_forgotten(void **state)
{
    (void)state;
    static struct guesses guesses;
    for (unsigned i = 0; i < GUESSES_FREE; i++) {
        guesses_note_wrong(&guesses, 1, START);
        guesses_note_wrong(&guesses, 2, START + 1);
    }
    for (uint64_t address = 3; address <= GUESSERS_MAX; address++)
        guesses_note_wrong(&guesses, address, START + 2);
    assert_true(guesses_are_spent(&guesses, 1, START + 3));
    guesses_note_wrong(&guesses, 1000, START + 3);
    assert_false(guesses_are_spent(&guesses, 1, START + 3));
    assert_true(guesses_are_spent(&guesses, 2, START + 3));
}

static void test_lines_are_counted_and_summed_up(void **state)
{
    (void)state;
    struct log_limit limit = {0};
    for (unsigned i = 0; i < LOG_LINES_FREE; i++)
        assert_true(log_limit_pass(&limit, START));
    for (unsigned i = 0; i < 1000; i++)
        assert_false(log_limit_pass(&limit, START + i));
    assert_int_equal(log_limit_sum(&limit, START + SECOND, false), 0);
    assert_true(log_limit_pass(&limit, START + 2 * SECOND));
    assert_int_equal(log_limit_sum(&limit, START + LOG_SUM_EVERY_NS, false), 1000);
    assert_int_equal(log_limit_sum(&limit, START + LOG_SUM_EVERY_NS, true), 0);
    for (unsigned i = 0; i < LOG_LINES_FREE + 3; i++)
        log_limit_pass(&limit, START + 100 * SECOND);
    assert_int_equal(log_limit_sum(&limit, START + 100 * SECOND, false), 0);
    assert_int_equal(log_limit_sum(&limit, START + 100 * SECOND, true), 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_address_may_be_wrong_a_few_times),
        cmocka_unit_test(test_addresses_that_were_wrong_longest_ago_are_forgotten),
        cmocka_unit_test(test_lines_are_counted_and_summed_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
