/*
 * Which variables of an environment are kept, and that no others are.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "unit.h"

#include "collector/peer/settings.h"

static void check(const char *environment, size_t bytes, const char *golden, size_t size)
{
    char *settings = settings_from(environment, bytes);
    assert_memory_equal(settings, golden, size);
    free(settings);
}

/* Literals end with a NUL that ends their last entry, or the list. */
#define CHECK(environment, golden) check(environment, sizeof environment, golden, sizeof golden)

static void test_what_is_kept(void **state)
{
    (void)state;
    CHECK("HOME=/root\0PYTHONMALLOC=debug\0SECRET=1\0MALLOC_ARENA_MAX=2\0A=b",
          "PYTHONMALLOC=debug\0MALLOC_ARENA_MAX=2\0");
    CHECK("HOME=/root", "");
    CHECK("PYTHONMALLOC=", "PYTHONMALLOC=\0");
    CHECK("GLIBC_TUNABLES=a=b:c=d", "GLIBC_TUNABLES=a=b:c=d\0");
    CHECK("PYTHONHASHSEED=\xfc", "PYTHONHASHSEED=\xc3\xbc\0");
}

static void test_names_must_be_whole(void **state)
{
    (void)state;
    CHECK("PYTHONMALLOC_TOKEN=1\0XPYTHONMALLOC=2\0PYTHONMALLO=3\0PYTHONMALLOC\0=4", "");
}

static void test_what_is_cut_short_is_left_out(void **state)
{
    (void)state;
    static const char environment[] = "PYTHONMALLOC=debug\0MALLOC_CONF=background";
    check(environment, sizeof environment - 3, "PYTHONMALLOC=debug\0", 20);
    check("", 0, "", 1);
}

static void test_long_values_are_cut(void **state)
{
    (void)state;
    char environment[1000];
    memset(environment, 'x', sizeof environment);
    memcpy(environment, "MALLOC_CONF=", 12);
    environment[sizeof environment - 1] = 0;
    char *settings = settings_from(environment, sizeof environment);
    assert_int_equal(strlen(settings), 12 + 200);
    assert_int_equal(settings[12 + 200 + 1], 0);
    free(settings);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_kept),
        cmocka_unit_test(test_names_must_be_whole),
        cmocka_unit_test(test_what_is_cut_short_is_left_out),
        cmocka_unit_test(test_long_values_are_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
