/*
 * What rises, and what only looks like it: programs on a clock of their own, so that each does what
 * it does at exactly its moments. The same by real ones: integration/test_growing.py.
 */
#include <string.h>

#include "unit.h"

#include "viewer/question/rising.h"

#define ROUND_SECONDS 0.02
#define STARTS        0.1 /* and is not seen awake meanwhile, but at once */

/* A program that is watched; its end is known when it has been played once. */
struct program {
    double now, end;
    struct held holds;
    unsigned next; /* edge */
    struct held held[RISING_TICKS + 1];
    uint32_t wakes[RISING_TICKS];
};

static void take_edges(struct program *program, double until)
{
    while (program->next < RISING_TICKS && program->end * program->next / RISING_TICKS < until)
        program->held[program->next++] = program->holds;
}

static void wake(struct program *program)
{
    unsigned tick = (unsigned)(program->now / program->end * RISING_TICKS);
    if (tick < RISING_TICKS)
        program->wakes[tick]++;
}

static void wait_for(struct program *program, double seconds)
{
    wake(program);
    program->now += seconds;
    take_edges(program, program->now);
}

static void hold(struct program *program, unsigned blocks, uint64_t bytes)
{
    program->holds.blocks += blocks;
    program->holds.bytes += blocks * bytes;
}

static void drop(struct program *program, unsigned blocks, uint64_t bytes)
{
    program->holds.blocks -= blocks;
    program->holds.bytes -= blocks * bytes;
}

static void work(struct program *program, unsigned rounds)
{
    for (unsigned i = 0; i < rounds; i++)
        wait_for(program, ROUND_SECONDS);
}

static void leak(struct program *program, unsigned rounds)
{
    for (unsigned i = 0; i < rounds; i++) {
        hold(program, 1, 10000);
        wait_for(program, ROUND_SECONDS);
    }
}

static void play(struct program *program, void (*shape)(struct program *))
{
    *program = (struct program){.end = 1e9};
    wait_for(program, STARTS);
    shape(program);
    *program = (struct program){.end = program->now};
    wait_for(program, STARTS);
    shape(program);
    take_edges(program, 1e9);
    program->held[RISING_TICKS] = program->holds;
}

static enum rising_verdict verdict_of(void (*shape)(struct program *))
{
    struct program program;
    play(&program, shape);
    struct rising_series series = {
        .to = program.end, .least_seconds = 0.2, .held = program.held, .wakes = program.wakes};
    return rising_judge(&series).verdict;
}

/* --- leaks --- */

static void steady(struct program *program)
{
    leak(program, 100);
}

static void then_idle(struct program *program)
{
    leak(program, 60);
    wait_for(program, 1.2);
}

static void then_polls_now_and_then(struct program *program)
{
    leak(program, 50);
    for (unsigned i = 0; i < 5; i++)
        wait_for(program, 0.1);
}

static void begins_after_half(struct program *program)
{
    work(program, 80);
    leak(program, 50);
}

/* The process is awake for so little of the time that each burst is a tick, and all there is. */
static void in_bursts_with_nothing_between(struct program *program)
{
    for (unsigned burst = 0; burst < 8; burst++) {
        hold(program, 100, 10000);
        wait_for(program, 0.3);
    }
}

static void beside_a_load(struct program *program)
{
    hold(program, 1, 5000000);
    leak(program, 100);
}

static void behind_a_load_that_takes_a_while(struct program *program)
{
    for (unsigned i = 0; i < 25; i++) {
        hold(program, 200, 5000);
        work(program, 1);
    }
    leak(program, 90);
}

/* Twenty at a time, of which so many are left; thirteen stand at the end. */
static void fill_and_empty(struct program *program, unsigned teeth, unsigned left)
{
    for (unsigned tooth = 0; tooth < teeth; tooth++) {
        leak(program, 20);
        drop(program, 20 - left, 10000);
        work(program, 2);
    }
    leak(program, 13);
}

static void under_what_is_emptied(struct program *program)
{
    fill_and_empty(program, 6, 1);
}

static void test_leaks_rise(void **state)
{
    (void)state;
    assert_int_equal(verdict_of(steady), RISING_GROWS);
    assert_int_equal(verdict_of(then_idle), RISING_GROWS);
    assert_int_equal(verdict_of(then_polls_now_and_then), RISING_GROWS);
    assert_int_equal(verdict_of(begins_after_half), RISING_GROWS);
    assert_int_equal(verdict_of(in_bursts_with_nothing_between), RISING_GROWS);
    assert_int_equal(verdict_of(beside_a_load), RISING_GROWS);
    assert_int_equal(verdict_of(behind_a_load_that_takes_a_while), RISING_GROWS);
    assert_int_equal(verdict_of(under_what_is_emptied), RISING_GROWS);
}

/* --- what is none --- */

static void next_to_nothing(struct program *program)
{
    for (unsigned i = 0; i < 100; i++) {
        hold(program, 1, 100);
        work(program, 1);
    }
}

static void a_cache_that_fills(struct program *program)
{
    leak(program, 40);
    work(program, 80);
}

static void a_buffer_that_is_emptied(struct program *program)
{
    fill_and_empty(program, 5, 0);
}

static void once_at_the_start(struct program *program)
{
    hold(program, 2000, 1000);
    work(program, 100);
}

static void at_the_very_end(struct program *program)
{
    work(program, 150);
    leak(program, 10);
}

static void one_block_that_grows(struct program *program)
{
    hold(program, 1, 10000);
    for (unsigned i = 0; i < 100; i++) {
        program->holds.bytes += 10000;
        work(program, 1);
    }
}

static void test_others_do_not(void **state)
{
    (void)state;
    assert_int_equal(verdict_of(next_to_nothing), RISING_LITTLE);
    assert_int_equal(verdict_of(a_cache_that_fills), RISING_STOPPED);
    assert_int_equal(verdict_of(a_buffer_that_is_emptied), RISING_GIVEN_BACK);
    assert_int_equal(verdict_of(once_at_the_start), RISING_STOPPED);
    assert_int_equal(verdict_of(at_the_very_end), RISING_SHORT);
    assert_int_equal(verdict_of(one_block_that_grows), RISING_BLOCKS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_leaks_rise),
                                       cmocka_unit_test(test_others_do_not)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
