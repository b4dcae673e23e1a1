/*
 * Text from anywhere becomes text for a terminal.
 */
#include <stdlib.h>
#include <string.h>

#include "unit.h"

#include "viewer/base/utf8.h"

#define REPLACED "\xef\xbf\xbd"

static void check(char *made, const char *expected)
{
    assert_string_equal(made, expected);
    free(made);
}

static void check_clean(const char *text, const char *expected)
{
    check(utf8_clean(text, strlen(text)), expected);
}

static void test_clean(void **state)
{
    (void)state;
    check_clean("", "");
    check_clean("plain é 中 \xf0\x9f\x90\x8d", "plain é 中 \xf0\x9f\x90\x8d");
    check_clean("a\xff"
                "b",
                "a" REPLACED "b");
    check_clean("cut \xe4\xb8", "cut " REPLACED REPLACED);
    check_clean("surrogate \xed\xb3\xbf", "surrogate " REPLACED REPLACED REPLACED);
    check_clean("overlong \xc0\xaf", "overlong " REPLACED REPLACED);
    check_clean("too large \xf4\x90\x80\x80", "too large " REPLACED REPLACED REPLACED REPLACED);
    check_clean(REPLACED, REPLACED);
    check(utf8_clean("ab\0cd", 5), "ab");
    check(utf8_clean("abcd", 2), "ab");
}

static void test_escape(void **state)
{
    (void)state;
    check(utf8_escape("a\tb\nc\033[31m"), "a\\tb\\nc\\u{1b}[31m");
    check(utf8_escape("\x7f"), "\\u{7f}");
    check(utf8_escape("\xc2\x9b"), "\\u{9b}");
    check(utf8_escape("\xe2\x80\xae"), "\\u{202e}");
    check(utf8_escape("é 中"), "é 中");
    check(utf8_escape("\x9b"
                      "A\xff"),
          "\\x9bA\\xff");
    check(utf8_escape("cut \xe4\xb8"), "cut \\xe4\\xb8");
    check(utf8_escape(REPLACED), REPLACED);
    check(utf8_escape("\xe2\x80\xa8\xe2\x81\xa6\xe2\x80\x8b\xef\xbb\xbf\xd8\x9c"),
          "\\u{2028}\\u{2066}\\u{200b}\\u{feff}\\u{61c}");
    check(utf8_escape("\xf3\xa0\x80\xa0"), "\\u{e0020}");
    /* Once is enough. */
    check(utf8_escape("\\u{1b}\\n"), "\\u{1b}\\n");
}

static bool is_cut(const char *text)
{
    return utf8_is_cut(text, text + strlen(text));
}

static void test_characters_in_two_parts(void **state)
{
    (void)state;
    assert_true(is_cut("\xe4"));
    assert_true(is_cut("\xe4\xb8"));
    assert_true(is_cut("\xf0\x9f\x90"));
    assert_false(is_cut("\xe4\xb8\xad"));
    assert_false(is_cut("\xe4"
                        "A"));
    assert_false(is_cut("\xff"));
    assert_false(is_cut("\x9b"));
    assert_false(is_cut("A"));
}

static void test_width(void **state)
{
    (void)state;
    assert_int_equal(utf8_width(""), 0);
    assert_int_equal(utf8_width("abc"), 3);
    assert_int_equal(utf8_width("é"), 1);
    assert_int_equal(utf8_width("e\xcc\x81"), 1);
    assert_int_equal(utf8_width("中文"), 4);
}

static void test_cut(void **state)
{
    (void)state;
    check(utf8_cut_end("abcdef", 6), "abcdef");
    check(utf8_cut_end("abcdef", 4), "abc…");
    check(utf8_cut_end("abcdef", 1), "…");
    check(utf8_cut_end("中文字", 4), "中…");
    check(utf8_cut_middle("abcdefghij", 10), "abcdefghij");
    check(utf8_cut_middle("abcdefghij", 7), "ab…ghij");
    check(utf8_cut_middle("abc", 1), "…");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_clean),
        cmocka_unit_test(test_escape),
        cmocka_unit_test(test_characters_in_two_parts),
        cmocka_unit_test(test_width),
        cmocka_unit_test(test_cut),
    };
    utf8_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
