/*
 * What is told of code that a program makes: names as a person reads them, memory that is used
 * again, and records that make no sense.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "unit.h"

#include "collector/native/made_code.h"
#include "collector/native/native_frames.h"
#include "collector/symbols/made_name.h"
#include "stream.h"

#define RING_LOG2 16
#define CODE      UINT64_C(0x7f0000001000)
#define FUNCTIONS 200u

/* --- names --- */

static void test_names(void **state)
{
    static const char *const names[][2] = {
        {"_ZN8__main__5outerB2v1B38c8tJTIeFIjxB2IKSgI4CrvQClQZ6FczSBAA_3dEx", "__main__.outer"},
        {"_ZN7cpython8__main__5outerB2v1B3abcEx", "__main__.outer (wrapper)"},
        {"_ZN5cfunc8__main__5outerB2v1B3abcEx", "__main__.outer (wrapper)"},
        {"_ZN3pkg4cell12_3clocals_3e12_3clambda_3eB3v12B3abcEx", "pkg.cell.<locals>.<lambda>"},
        {"_ZN3pkg9a_3cb_3dcB2v3Ex", "pkg.a_3cb_3dc"},
        {"_Z5outerB2v1x", "outer"},
        {"_ZN7cpythonB2v1Ex", "cpython"},
        {"_ZN4shop5Order3addEi", "shop::Order::add"},
        {"_Z3addii", "add"},
        {"add", "add"},
        /* What only a demangler reads stays as it is, and so does what is none of it. */
        {"_ZN4shop5OrderIiE3addEi", "_ZN4shop5OrderIiE3addEi"},
        {"_ZN4shop5OrderC1Ev", "_ZN4shop5OrderC1Ev"},
        {"_ZN", "_ZN"},
        {"_Z", "_Z"},
        {"_ZN9999999999999999999x", "_ZN9999999999999999999x"},
        {"_ZN4ab", "_ZN4ab"},
        {"_ZN3abcB", "_ZN3abcB"},
        {"_ZN3abcB9v", "_ZN3abcB9v"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char *name = made_name(names[i][0]);
        assert_string_equal(name, names[i][1]);
        free(name);
    }
}

/* --- addresses --- */

static const char *name_at(const struct made_code *made, uint64_t address)
{
    const struct made_function *function = made_code_find(made, address);
    return !function ? "-" : function->name ? function->name : "?";
}

static void test_memory_that_is_used_again(void **state)
{
    struct made_code made = {0};
    (void)state;
    assert_int_equal(made_code_tell(&made, 200, 300, "b"), MADE_CODE_NEW);
    assert_int_equal(made_code_tell(&made, 100, 200, "a"), MADE_CODE_NEW);
    assert_int_equal(made_code_tell(&made, 100, 200, "a"), MADE_CODE_KNOWN);
    assert_string_equal(name_at(&made, 99), "-");
    assert_string_equal(name_at(&made, 199), "a");
    assert_string_equal(name_at(&made, 200), "b");
    assert_string_equal(name_at(&made, 300), "-");
    assert_int_equal(made_code_tell(&made, 150, 250, "c"), MADE_CODE_NEW);
    assert_string_equal(name_at(&made, 149), "-");
    assert_string_equal(name_at(&made, 150), "c");
    assert_string_equal(name_at(&made, 299), "-");
    assert_int_equal(made_code_tell(&made, 160, 161, ""), MADE_CODE_NEW);
    assert_int_equal(made_code_tell(&made, 160, 161, ""), MADE_CODE_KNOWN);
    assert_string_equal(name_at(&made, 160), "?");
    assert_string_equal(name_at(&made, 161), "-");
    made_code_deinit(&made);
}

/* A plain table has a function's number at each address. */
static void forget_function(unsigned plain[FUNCTIONS], unsigned number)
{
    for (unsigned at = 0; at < FUNCTIONS; at++)
        if (plain[at] == number)
            plain[at] = 0;
}

static void test_random_ranges_against_a_plain_table(void **state)
{
    struct made_code made = {0};
    unsigned plain[FUNCTIONS] = {0};
    char name[16];
    (void)state;
    srand(7);
    for (unsigned i = 1; i < 2000; i++) {
        unsigned start = (unsigned)rand() % FUNCTIONS, end = start + 1 + (unsigned)rand() % 9;
        end = end < FUNCTIONS ? end : FUNCTIONS;
        for (unsigned at = start; at < end; at++)
            forget_function(plain, plain[at]);
        for (unsigned at = start; at < end; at++)
            plain[at] = i;
        snprintf(name, sizeof name, "f%u", i);
        assert_int_equal(made_code_tell(&made, start, end, name), MADE_CODE_NEW);
        for (unsigned at = 0; at < FUNCTIONS; at++) {
            snprintf(name, sizeof name, plain[at] ? "f%u" : "-", plain[at]);
            assert_string_equal(name_at(&made, at), name);
        }
    }
    made_code_deinit(&made);
}

/* --- records --- */

static void put_made(struct stream *stream, uint64_t length, uint64_t start, uint64_t end)
{
    stream_put(stream,
               wire_first(WIRE_MARK) | (uint64_t)WIRE_MARK_MADE_CODE << WIRE_MARK_SHIFT | length);
    stream_put(stream, start);
    stream_put(stream, end);
}

/* What the call is said to be that returns to an address. */
static const char *call_at(struct stream *stream, uint64_t address)
{
    const struct codes *codes = &stream->run.stacks.codes;
    uint32_t number =
        native_frames_find(&stream->run.stacks, &stream->process->mirror.native, address);
    uint32_t location = native_frames_at(&stream->run.stacks.native, number)->locations[0];
    return codes_code(codes, codes_location(codes, location)->code)->name;
}

static void test_records(void **state)
{
    struct stream stream;
    (void)state;
    stream_init(&stream, RING_LOG2, true);
    assert_string_equal(call_at(&stream, CODE + 8), "0x7f0000001008");
    put_made(&stream, 3, CODE, CODE + 16);
    stream_put(&stream, UINT64_C(0x646461)); /* "add" */
    stream_decode(&stream);
    assert_string_equal(call_at(&stream, CODE + 8), "add");
    assert_string_equal(call_at(&stream, CODE + 16), "add"); /* its last call returns behind it */
    assert_string_equal(call_at(&stream, CODE), "0x7f0000001000");
    put_made(&stream, 8, CODE + 7, CODE + 8);
    stream_put(&stream, UINT64_C(0x776f727261656d)); /* "mearrow", "s" */
    stream_put(&stream, 's');
    stream_decode(&stream);
    assert_string_equal(call_at(&stream, CODE + 8), "mearrows");
    put_made(&stream, 0, CODE + 7, CODE + 8);
    stream_decode(&stream);
    assert_string_equal(call_at(&stream, CODE + 8), "0x7f0000001008");
    assert_int_equal(process_lost(stream.process), 0);
    stream_deinit(&stream);
}

static void test_records_that_make_no_sense(void **state)
{
    struct stream stream;
    (void)state;
    stream_init(&stream, RING_LOG2, true);
    put_made(&stream, WIRE_MADE_NAME_MAX + 1, CODE, CODE + 16); /* its other words are none, too */
    stream_decode(&stream);
    assert_int_equal(stream.process->mirror.native.made.count, 0);
    assert_true(process_lost(stream.process) > 0);
    uint64_t damaged = process_lost(stream.process);
    put_made(&stream, 0, CODE + 16, CODE + 16);
    stream_decode(&stream);
    assert_true(process_lost(stream.process) > damaged);
    damaged = process_lost(stream.process);
    put_made(&stream, 8, CODE, CODE + 16);
    stream_put(&stream, wire_first(WIRE_TIME) | 5); /* where the name should be */
    stream_decode(&stream);
    assert_true(process_lost(stream.process) > damaged);
    assert_int_equal(stream.process->mirror.native.made.count, 0);
    stream_deinit(&stream);
}

static void test_beyond_the_allowance(void **state)
{
    struct stream stream;
    (void)state;
    stream_init(&stream, RING_LOG2, true);
    stream.process->peer.looks.used = ALLOWANCE_FIRST - ALLOWANCE_MADE_CODE;
    put_made(&stream, 0, CODE, CODE + 1);
    put_made(&stream, 0, CODE + 1, CODE + 2);
    stream_decode(&stream);
    assert_int_equal(stream.process->mirror.native.made.count, 1);
    assert_int_equal(process_lost(stream.process), 1);
    stream_deinit(&stream);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_memory_that_is_used_again),
        cmocka_unit_test(test_random_ranges_against_a_plain_table),
        cmocka_unit_test(test_records),
        cmocka_unit_test(test_records_that_make_no_sense),
        cmocka_unit_test(test_beyond_the_allowance),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
