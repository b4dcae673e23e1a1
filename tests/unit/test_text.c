/*
 * Text from a traced process: characters of one, two and four bytes, and what is none.
 */
#include <stdlib.h>
#include <string.h>

#include "unit.h"

#include "collector/base/text.h"

static void check(const void *data, size_t bytes, unsigned width, const char *golden)
{
    char *text = text_to_utf8(data, bytes, width);
    assert_string_equal(text, golden);
    free(text);
}

static void test_widths(void **state)
{
    static const uint8_t latin[] = {'a', 0xfc, 0xff};
    static const uint16_t two[] = {'a', 0x65e5, 0x7ff, 0x800};
    static const uint32_t four[] = {0x1f40d, 0x10ffff, 0xffff};
    (void)state;
    check(latin, sizeof latin, 1, "a\xc3\xbc\xc3\xbf");
    check(two, sizeof two, 2, "a\xe6\x97\xa5\xdf\xbf\xe0\xa0\x80");
    check(four, sizeof four, 4, "\xf0\x9f\x90\x8d\xf4\x8f\xbf\xbf\xef\xbf\xbf");
    check(latin, 0, 1, "");
}

static void test_what_is_no_character(void **state)
{
    static const uint32_t none[] = {0xd800, 0x110000, 0, 0xffffffff};
    (void)state;
    check(none, sizeof none, 4, "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd");
    /* A piece of a character at the end is left out. */
    check(none, 3, 4, "");
}

static void test_lists(void **state)
{
    static const char words[] = "python3\0a \"b\"\0\xff";
    (void)state;
    char *json = text_list_to_json(words, sizeof words);
    assert_string_equal(json, "[\"python3\",\"a \\\"b\\\"\",\"\xc3\xbf\"]");
    free(json);
    json = text_list_to_json("", 0);
    assert_string_equal(json, "[]");
    free(json);
}

static void test_bytes(void **state)
{
    (void)state;
    char *text = text_from_bytes("\xc3\xbc");
    assert_string_equal(text, "\xc3\xbc");
    free(text);
    text = text_from_bytes("\xfc");
    assert_string_equal(text, "\xc3\xbc");
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_widths),
        cmocka_unit_test(test_what_is_no_character),
        cmocka_unit_test(test_lists),
        cmocka_unit_test(test_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
