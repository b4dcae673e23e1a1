/*
 * Options in all their spellings, numbers, and what was probably meant.
 */
#include "unit.h"

#include "viewer/base/closest.h"
#include "viewer/base/options.h"

enum {
    OUTPUT = 1,
    FORCE,
    QUIET,
};

static const struct option_spec specs[] = {
    {'o', "output", "FILE", "", OUTPUT},
    {'f', "force", NULL, "", FORCE},
    {'q', "quiet", NULL, "", QUIET},
};

static struct options begin(char **arguments, bool stop_at_operand)
{
    return (struct options){
        .command = "test",
        .specs = specs,
        .spec_count = sizeof specs / sizeof *specs,
        .arguments = arguments,
        .stop_at_operand = stop_at_operand,
    };
}

static void check(struct options *options, int id, const char *value)
{
    assert_int_equal(options_next(options), id);
    if (value)
        assert_string_equal(options->value, value);
    else
        assert_null(options->value);
}

static void test_spellings(void **state)
{
    (void)state;
    char *words[] = {"-qf", "-o", "a", "-ob", "--output=c", "--output", "d", "-fo", "e", NULL};
    struct options options = begin(words, false);
    check(&options, QUIET, NULL);
    check(&options, FORCE, NULL);
    check(&options, OUTPUT, "a");
    check(&options, OUTPUT, "b");
    check(&options, OUTPUT, "c");
    check(&options, OUTPUT, "d");
    check(&options, FORCE, NULL);
    check(&options, OUTPUT, "e");
    check(&options, OPTIONS_END, NULL);
}

static void test_operands_between_options(void **state)
{
    (void)state;
    char *words[] = {"one", "-q", "-", "--", "-f", "--", NULL};
    struct options options = begin(words, false);
    check(&options, OPTIONS_OPERAND, "one");
    check(&options, QUIET, NULL);
    check(&options, OPTIONS_OPERAND, "-");
    check(&options, OPTIONS_OPERAND, "-f");
    check(&options, OPTIONS_OPERAND, "--");
    check(&options, OPTIONS_END, NULL);
}

static void test_the_first_operand_may_end_the_options(void **state)
{
    (void)state;
    char *words[] = {"-q", "command", "-f", NULL};
    struct options options = begin(words, true);
    check(&options, QUIET, NULL);
    check(&options, OPTIONS_END, NULL);
    assert_string_equal(options.arguments[0], "command");
    char *dashes[] = {"--", "-q", NULL};
    options = begin(dashes, true);
    check(&options, OPTIONS_END, NULL);
    assert_string_equal(options.arguments[0], "-q");
}

static void test_wrong(void **state)
{
    char *cases[][2] = {
        {"--outputs", NULL}, {"--out", NULL},     {"-x", NULL}, {"-qx", NULL},
        {"--output", NULL},  {"--force=1", NULL}, {"-o", NULL},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct options options = begin(cases[i], false);
        int id = options_next(&options);
        if (id == QUIET)
            id = options_next(&options);
        assert_int_equal(id, OPTIONS_WRONG);
    }
}

static void test_numbers(void **state)
{
    int64_t number = -1;
    (void)state;
    assert_true(options_number("0", 0, 10, &number));
    assert_int_equal(number, 0);
    assert_true(options_number("10", 0, 10, &number));
    assert_int_equal(number, 10);
    static const char *const wrong[] = {
        "", "-1", "+1", " 1", "1 ", "ten", "11", "0x1", "99999999999999999999"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_false(options_number(wrong[i], 0, 10, &number));
    assert_int_equal(number, 10);
}

static const char *closest_of(const char *word)
{
    struct closest closest = {.word = word};
    for (size_t i = 0; i < sizeof specs / sizeof *specs; i++)
        closest_offer(&closest, specs[i].name);
    return closest.best;
}

static void test_closest(void **state)
{
    (void)state;
    assert_string_equal(closest_of("forse"), "force");
    assert_string_equal(closest_of("outptu"), "output");
    assert_string_equal(closest_of("out"), "output");
    assert_null(closest_of("zzz"));
    assert_null(closest_of(""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_spellings),
        cmocka_unit_test(test_operands_between_options),
        cmocka_unit_test(test_the_first_operand_may_end_the_options),
        cmocka_unit_test(test_wrong),
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_closest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
