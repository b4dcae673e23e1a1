/*
 * What a recording is called when nobody says.
 */
#include <stdlib.h>
#include <string.h>

#include "unit.h"

#include "viewer/run/name.h"

#define WORDS_MAX 8

static void test_names(void **state)
{
    static const struct {
        char *command[WORDS_MAX];
        const char *name;
    } cases[] = {
        {{"python3", "app.py"}, "app.7.heapline"},
        {{"/usr/bin/python3.11", "/srv/app.py", "x.py"}, "app.7.heapline"},
        {{"python3.13t", "-X", "dev", "-W", "error", "app.py"}, "app.7.heapline"},
        {{"python3", "-Xdev", "-Werror", "-u", "app.pyw"}, "app.7.heapline"},
        {{"python3", "-OO", "--check-hash-based-pycs", "always", "a"}, "a.7.heapline"},
        {{"python3", "-m", "pkg.mod", "x"}, "pkg.mod.7.heapline"},
        {{"python3", "-um", "pkg.mod"}, "pkg.mod.7.heapline"},
        {{"python3", "-mpkg.mod"}, "pkg.mod.7.heapline"},
        {{"python3", "-c", "print()"}, "python3.7.heapline"},
        {{"python3", "-Bc", "print()"}, "python3.7.heapline"},
        {{"python3", "-"}, "python3.7.heapline"},
        {{"python3"}, "python3.7.heapline"},
        {{"python3", "-m"}, "python3.7.heapline"},
        {{"python3", "-X"}, "python3.7.heapline"},
        {{"python3", "--", "app.py"}, "app.7.heapline"},
        {{"./app.py", "x"}, "app.7.heapline"},
        {{"pythonic", "app.py"}, "pythonic.7.heapline"},
        {{"gunicorn", "app:main"}, "gunicorn.7.heapline"},
        {{"python3", "-m", "a/b"}, "a_b.7.heapline"},
        {{"python3", "./-x.py"}, "_x.7.heapline"},
        {{"python3", "folder/"}, "folder_.7.heapline"},
        {{"python3", ".py"}, ".py.7.heapline"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *name = name_recording(cases[i].command, 7);
        assert_string_equal(name, cases[i].name);
        free(name);
    }
}

static void test_long_names_fit_into_a_file_name(void **state)
{
    (void)state;
    char script[1000];
    memset(script, 'x', sizeof script - 1);
    script[sizeof script - 1] = '\0';
    char *command[] = {"python3", script, NULL};
    char *name = name_recording(command, 4000000);
    assert_true(strlen(name) < 255);
    free(name);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_long_names_fit_into_a_file_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
