/*
 * Sizes as tracemalloc prints them, at its boundaries; shares, times and counts.
 */
#include <math.h>

#include "unit.h"

#include "viewer/base/size.h"

static void test_sizes_at_the_boundaries(void **state)
{
    static const struct {
        uint64_t bytes;
        const char *text;
    } cases[] = {
        {0, "0 B"},
        {1, "1 B"},
        {100, "100 B"},
        {1024, "1024 B"},
        {10239, "10239 B"},
        {10240, "10.0 KiB"},
        {102399, "100.0 KiB"},
        {102400, "100 KiB"},
        {10485759, "10240 KiB"},
        {10485760, "10.0 MiB"},
        {104857600, "100 MiB"},
        {UINT64_C(10) << 30, "10.0 GiB"},
        {UINT64_C(10) << 40, "10.0 TiB"},
        {UINT64_C(20000) << 40, "20000 TiB"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_string_equal(size_format(cases[i].bytes).text, cases[i].text);
}

static void test_shares(void **state)
{
    (void)state;
    assert_string_equal(share_format(1, 4).text, "25.0%");
    assert_string_equal(share_format(0, 4).text, "0.0%");
    assert_string_equal(share_format(4, 4).text, "100.0%");
    assert_string_equal(share_format(0, 0).text, "-");
}

static void test_seconds(void **state)
{
    (void)state;
    assert_string_equal(seconds_format(0.25).text, "0.250 s");
    assert_string_equal(seconds_format(75).text, "75.0 s");
    assert_string_equal(seconds_format(725).text, "12 min 5 s");
    assert_string_equal(seconds_format(NAN).text, "an unknown time");
}

static void test_counts(void **state)
{
    (void)state;
    assert_string_equal(count_format(0).text, "0");
    assert_string_equal(count_format(UINT64_MAX).text, "18446744073709551615");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sizes_at_the_boundaries),
        cmocka_unit_test(test_shares),
        cmocka_unit_test(test_seconds),
        cmocka_unit_test(test_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
