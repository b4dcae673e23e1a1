/*
 * Which signals are passed on to the command, as witnesses and the clock have it.
 */
#include <limits.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "unit.h"

#include "viewer/run/relay.h"

#define NOBODY  0 /* who sends from where we do not see */
#define SOMEONE INT_MAX
#define LATER   (RELAY_PATIENCE_NS + 1)

static struct relay relay;

static int set_up(void **state)
{
    (void)state;
    memset(&relay, 0, sizeof relay);
    return 0;
}

static void receive(int number, int sender, uint64_t now)
{
    struct signalfd_siginfo signal = {
        .ssi_signo = (uint32_t)number, .ssi_code = SI_USER, .ssi_pid = (uint32_t)sender};
    assert_true(relay_has_room(&relay));
    relay_receive(&relay, &signal, now);
}

/* A witness has got it, and had when it was looked; with `pending` it has noted it later. */
static void witness_at(int number, int sender, uint64_t time, uint64_t looked, uint64_t pending)
{
    const struct witnessed seen = {
        .signal = number, .code = SI_USER, .sender = sender, .time_ns = time};
    const struct testimony testimony = {
        .seen = &seen, .count = 1, .looked_ns = looked, .pending = pending};
    relay_witness(&relay, &testimony);
}

static void witness(int number, int sender, uint64_t time)
{
    witness_at(number, sender, time, time, 0);
}

static void witness_nothing(uint64_t oldest)
{
    relay_witness(&relay, &(struct testimony){.oldest_ns = oldest});
}

/* How many there are to be passed on, which must all be of that number. */
static unsigned take_all(int number, uint64_t now)
{
    struct signalfd_siginfo signal;
    unsigned count = 0;
    for (; relay_take(&relay, now, &signal); count++)
        assert_int_equal(signal.ssi_signo, number);
    return count;
}

static void test_only_to_us(void **state)
{
    (void)state;
    receive(SIGTERM, NOBODY, 0);
    assert_int_equal(take_all(SIGTERM, RELAY_PATIENCE_NS - 1), 0);
    assert_int_equal(relay_timeout(&relay, 0), 21);
    assert_int_equal(take_all(SIGTERM, LATER), 1);
    assert_int_equal(take_all(SIGTERM, LATER), 0);
    assert_int_equal(relay_timeout(&relay, LATER), -1);
}

static void test_witnessed_before_and_after(void **state)
{
    (void)state;
    receive(SIGTERM, SOMEONE, 0);
    witness(SIGTERM, SOMEONE, 1);
    witness(SIGTERM, SOMEONE, 2);
    receive(SIGTERM, SOMEONE, 3);
    witness_nothing(0);
    assert_int_equal(take_all(SIGTERM, LATER), 0);
    /* Each has explained one. */
    receive(SIGTERM, SOMEONE, 4);
    witness_nothing(0);
    assert_int_equal(take_all(SIGTERM, 2 * LATER), 1);
}

static void test_too_long_ago(void **state)
{
    (void)state;
    witness(SIGTERM, SOMEONE, 5);
    receive(SIGTERM, SOMEONE, 50);
    witness_nothing(6);
    assert_int_equal(take_all(SIGTERM, 2 * LATER), 1);
}

static void test_another_signal_or_sender(void **state)
{
    (void)state;
    receive(SIGTERM, SOMEONE, 0);
    witness(SIGINT, SOMEONE, 0);
    witness(SIGTERM, SOMEONE - 1, 0);
    assert_int_equal(take_all(SIGTERM, LATER), 1);
}

/* To us and then to the group, at once: two that are pending are one. Real-time signals are not. */
static void test_one_for_all_or_one_for_one(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) {
        receive(SIGTERM, SOMEONE, 0);
        receive(SIGRTMIN, SOMEONE, 0);
    }
    witness(SIGTERM, SOMEONE, 0);
    witness(SIGRTMIN, SOMEONE, 0);
    assert_int_equal(take_all(SIGRTMIN, LATER), 2);
}

/* To us, and then to the group, and then to us again: when the group's is here depends. */
static void test_to_us_and_then_to_the_group(void **state)
{
    (void)state;
    receive(SIGTERM, SOMEONE, 10);
    witness_at(SIGTERM, SOMEONE, 13, 12, 0);
    receive(SIGTERM, SOMEONE, 14);
    witness_nothing(0);
    assert_int_equal(take_all(SIGTERM, 2 * LATER), 0);
    receive(SIGTERM, SOMEONE, 15);
    witness_nothing(0);
    assert_int_equal(take_all(SIGTERM, 2 * LATER), 1);
}

/* It comes one by one: nothing more comes to us, and what does later is another. */
static void test_to_us_and_then_to_others(void **state)
{
    (void)state;
    receive(SIGTERM, SOMEONE, 10);
    witness_at(SIGTERM, SOMEONE, 13, 12, 0);
    receive(SIGTERM, SOMEONE, 14 + RELAY_CLOSE_NS);
    witness_nothing(0);
    assert_int_equal(take_all(SIGTERM, 2 * LATER), 1);
}

/* To the group, and then to us: the witness had the first, noted or not. */
static void test_to_the_group_and_then_to_us(void **state)
{
    (void)state;
    for (unsigned is_noted = 0; is_noted < 2; is_noted++) {
        receive(SIGTERM, SOMEONE, 10);
        witness_at(SIGTERM, SOMEONE, is_noted ? 11 : 13, 12,
                   is_noted ? 0 : UINT64_C(1) << (SIGTERM - 1));
        receive(SIGTERM, SOMEONE, 14);
        witness_nothing(0);
        assert_int_equal(take_all(SIGTERM, 2 * LATER), 1);
    }
}

/* Two to the group, of which only one is seen here, as the first was still pending. */
static void test_two_that_were_one_here(void **state)
{
    (void)state;
    const struct witnessed seen[] = {
        {.signal = SIGTERM, .code = SI_USER, .sender = SOMEONE, .time_ns = 8},
        {.signal = SIGTERM, .code = SI_USER, .sender = SOMEONE, .time_ns = 9},
    };
    receive(SIGTERM, SOMEONE, 10);
    relay_witness(&relay, &(struct testimony){.seen = seen, .count = 2, .looked_ns = 11});
    receive(SIGTERM, SOMEONE, 14);
    witness_nothing(0);
    assert_int_equal(take_all(SIGTERM, 2 * LATER), 1);
}

static void test_stops_and_continuing_cancel_each_other(void **state)
{
    (void)state;
    receive(SIGTSTP, NOBODY, 0);
    receive(SIGTTIN, NOBODY, 0);
    receive(SIGCONT, NOBODY, 0);
    assert_int_equal(take_all(SIGCONT, LATER), 1);
    receive(SIGCONT, NOBODY, 0);
    receive(SIGTSTP, NOBODY, 0);
    assert_int_equal(take_all(SIGTSTP, LATER), 1);
}

/* We are running. */
static void test_a_sender_that_is_still_at_it(void **state)
{
    (void)state;
    receive(SIGTERM, getpid(), 0);
    assert_int_equal(take_all(SIGTERM, RELAY_PATIENCE_RUNNING_NS - 1), 0);
    assert_in_range(relay_timeout(&relay, LATER), 1, 20);
    assert_int_equal(take_all(SIGTERM, RELAY_PATIENCE_RUNNING_NS), 1);
}

static void test_more_than_there_is_room_for(void **state)
{
    (void)state;
    for (unsigned i = 0; i < RELAY_MAX; i++)
        receive(SIGRTMIN, SOMEONE, i);
    assert_false(relay_has_room(&relay));
    for (unsigned i = 0; i < 3 * RELAY_MAX; i++)
        witness(SIGRTMIN, SOMEONE, 0);
    assert_int_equal(relay.count, 0);
    assert_int_equal(relay.seen_count, RELAY_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_only_to_us, set_up),
        cmocka_unit_test_setup(test_witnessed_before_and_after, set_up),
        cmocka_unit_test_setup(test_too_long_ago, set_up),
        cmocka_unit_test_setup(test_another_signal_or_sender, set_up),
        cmocka_unit_test_setup(test_one_for_all_or_one_for_one, set_up),
        cmocka_unit_test_setup(test_to_us_and_then_to_the_group, set_up),
        cmocka_unit_test_setup(test_to_us_and_then_to_others, set_up),
        cmocka_unit_test_setup(test_to_the_group_and_then_to_us, set_up),
        cmocka_unit_test_setup(test_two_that_were_one_here, set_up),
        cmocka_unit_test_setup(test_stops_and_continuing_cancel_each_other, set_up),
        cmocka_unit_test_setup(test_a_sender_that_is_still_at_it, set_up),
        cmocka_unit_test_setup(test_more_than_there_is_room_for, set_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
