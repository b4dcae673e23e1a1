/*
 * Line tables of all three formats, with bytes as CPython writes them, and bytes as no CPython
 * would.
 */
#include "unit.h"

#include "collector/python/line_table.h"

static void check(enum wire_line_table kind, const uint8_t *table, size_t bytes, int first,
                  const int32_t *golden, uint32_t units)
{
    int32_t lines[64];
    assert_int_equal(line_table_units(kind, table, bytes), units);
    line_table_decode(kind, table, bytes, first, lines, units);
    for (uint32_t i = 0; i < units; i++)
        assert_int_equal(lines[i], golden[i]);
}

static void test_lnotab(void **state)
{
    /* From line 10: 4 bytes, +1; 2 bytes, +3; 6 bytes, back by 2. */
    static const uint8_t table[] = {4, 1, 2, 3, 6, 0xfe};
    static const int32_t golden[] = {10, 10, 11, 14, 14, 14, 12};
    (void)state;
    check(WIRE_LINES_LNOTAB, table, sizeof table, 10, golden, 7);
}

static void test_lnotab_long_steps(void **state)
{
    /* A step of 300 bytes is written as 255 and 45, one of 200 lines as 127 and 73. */
    static const uint8_t table[] = {255, 0, 45, 127, 0, 73};
    int32_t lines[151];
    (void)state;
    assert_int_equal(line_table_units(WIRE_LINES_LNOTAB, table, sizeof table), 151);
    line_table_decode(WIRE_LINES_LNOTAB, table, sizeof table, 5, lines, 151);
    for (int i = 0; i < 150; i++)
        assert_int_equal(lines[i], 5);
    assert_int_equal(lines[150], 205);
}

static void test_ranges(void **state)
{
    static const uint8_t table[] = {4, 0, 2, 1, 4, 0x80, 2, 0xff, 0};
    static const int32_t golden[] = {7, 7, 8, LINE_NONE, LINE_NONE, 7};
    (void)state;
    check(WIRE_LINES_RANGES, table, sizeof table, 7, golden, 6);
}

static void test_locations(void **state)
{
    static const uint8_t table[] = {
        0x80 | 0 << 3 | 1,  0x00,             /* short form, two units, same line */
        0x80 | 11 << 3 | 0, 4,    9,          /* one line on, columns */
        0x80 | 13 << 3 | 2, 6,                /* no columns: signed varint +3, three units */
        0x80 | 14 << 3 | 0, 0x41, 2, 0, 1, 2, /* long form: -32 lines (65 = 0x41,1) */
        0x80 | 15 << 3 | 0,                   /* no line */
        0x80 | 10 << 3 | 0, 1,    2,
    };
    (void)state;
    int32_t lines[16];
    uint32_t units = line_table_units(WIRE_LINES_LOCATIONS, table, sizeof table);
    line_table_decode(WIRE_LINES_LOCATIONS, table, sizeof table, 100, lines, 16);
    assert_int_equal(units, 9);
    const int32_t golden[] = {100, 100, 101, 104, 104, 104, 40, LINE_NONE, 40};
    for (uint32_t i = 0; i < units; i++)
        assert_int_equal(lines[i], golden[i]);
}

static void test_hostile_tables_stay_in_bounds(void **state)
{
    (void)state;
    uint8_t table[64];
    int32_t lines[8];
    uint32_t seed = 1;
    for (int round = 0; round < 20000; round++) {
        size_t bytes = seed % sizeof table;
        for (size_t i = 0; i < bytes; i++)
            table[i] = (uint8_t)((seed = seed * 1664525u + 1013904223u) >> 24);
        for (int kind = 0; kind < WIRE_LINES_COUNT; kind++) {
            uint32_t units = line_table_units((enum wire_line_table)kind, table, bytes);
            assert_true(units <= LINE_UNITS_MAX);
            line_table_decode((enum wire_line_table)kind, table, bytes, 1, lines, 8);
            for (int i = 0; i < 8; i++)
                assert_true(lines[i] >= 0);
        }
        seed = seed * 1664525u + 1013904223u;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lnotab),
        cmocka_unit_test(test_lnotab_long_steps),
        cmocka_unit_test(test_ranges),
        cmocka_unit_test(test_locations),
        cmocka_unit_test(test_hostile_tables_stay_in_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
