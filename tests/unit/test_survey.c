/*
 * Surveys of this very process: memory that it has made for the purpose is told as a traced
 * process's would be, and the rows must say what is in it to the byte; and any records, in any
 * order, must leave rows that can be.
 */
#include <gnu/libc-version.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "unit.h"

#include "collector/stream/decode.h"
#include "collector/survey/survey.h"
#include "stream.h"

#define MEBI       (UINT64_C(1) << 20)
#define ROOM_BYTES (8 * MEBI)
#define POOL_BYTES UINT64_C(16384)

struct place {
    struct stream stream;
    char *room; /* of its own, with no access on both sides */
};

static int set_up(void **state)
{
    struct place *place = calloc(1, sizeof *place);
    stream_init(&place->stream, 16, true);
    char *whole = mmap(NULL, ROOM_BYTES + 2 * MEBI, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(whole != MAP_FAILED);
    place->room = whole + MEBI;
    assert_int_equal(mprotect(place->room, ROOM_BYTES, PROT_READ | PROT_WRITE), 0);
    assert_int_equal(madvise(place->room, ROOM_BYTES, MADV_NOHUGEPAGE), 0);
    *state = place;
    return 0;
}

static int tear_down(void **state)
{
    struct place *place = *state;
    munmap(place->room - MEBI, ROOM_BYTES + 2 * MEBI);
    stream_deinit(&place->stream);
    free(place);
    return 0;
}

static uint64_t at(const struct place *place, uint64_t offset)
{
    return (uint64_t)(uintptr_t)place->room + offset;
}

static void touch(struct place *place, uint64_t offset, size_t bytes)
{
    memset(place->room + offset, 1, bytes);
}

static void tell(struct place *place, enum wire_place kind, uint64_t offset, uint64_t bytes,
                 uint64_t caller)
{
    unsigned words = kind == WIRE_PLACE_MAPPED ? 3 : 2;
    stream_put(&place->stream, wire_extended(WIRE_EXTENDED_PLACE, words));
    stream_put(&place->stream, at(place, offset));
    stream_put(&place->stream, (uint64_t)kind << WIRE_PLACE_SHIFT | bytes);
    if (words > 2)
        stream_put(&place->stream, caller);
}

static void allocate(struct place *place, unsigned allocator, uint64_t offset, uint64_t size)
{
    stream_put(&place->stream,
               wire_first(WIRE_ALLOCATION) | (uint64_t)allocator << WIRE_ALLOCATOR_SHIFT |
                   (uint64_t)WIRE_DEPTH_CHANGE_BIAS << WIRE_DEPTH_CHANGE_SHIFT | at(place, offset));
    stream_put(&place->stream, WIRE_NO_STACK_BIT | size << WIRE_SIZE_SHIFT);
}

/* The survey that is taken now; it is the stream's. */
static const struct survey *survey(struct place *place)
{
    struct survey_subject subject = process_subject(&place->stream.run, place->stream.process);
    stream_decode(&place->stream);
    subject.pid = getpid();
    assert_true(survey_begin(&subject, RESIDENT_AT_END, 1.5));
    survey_finish(&subject);
    const struct survey *taken = &place->stream.process->book.surveys.end;
    assert_true(taken->is_taken && taken->time == 1.5);
    return taken;
}

static uint64_t row_of(const struct survey *survey, enum resident_kind kind)
{
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < survey->row_count; i++)
        bytes += survey->rows[i].kind == kind ? survey->rows[i].bytes : 0;
    return bytes;
}

static uint64_t sum_of(const struct survey *survey)
{
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < survey->row_count; i++)
        bytes += survey->rows[i].bytes;
    return bytes;
}

static void test_an_arena(void **state)
{
    struct place *place = *state;
    touch(place, 0, MEBI); /* one of two MiB */
    tell(place, WIRE_PLACE_ARENA, 0, 2 * MEBI, 0);
    allocate(place, WIRE_ALLOCATOR_OBJECT, 48, 100);               /* of 112 */
    allocate(place, WIRE_ALLOCATOR_OBJECT, 160, 112);              /* the same pool */
    allocate(place, WIRE_ALLOCATOR_MEM, POOL_BYTES + 48, 0);       /* of 16 */
    allocate(place, WIRE_ALLOCATOR_OBJECT, MEBI + POOL_BYTES, 32); /* is not resident */
    const struct survey *taken = survey(place);
    assert_int_equal(row_of(taken, RESIDENT_OBJECT), 212);
    assert_int_equal(row_of(taken, RESIDENT_MEM), 0);
    assert_int_equal(row_of(taken, RESIDENT_PYMALLOC_FREE), MEBI - 212 - 12 - 16 - 2 * 48);
    assert_int_equal(taken->region_count, 1);
    assert_int_equal(taken->regions[0].address, at(place, 0));
    assert_int_equal(taken->regions[0].bytes, 2 * MEBI);
    assert_int_equal(taken->regions[0].resident, MEBI);
    assert_int_equal(taken->regions[0].used, 212);
    assert_int_equal(taken->regions[0].blocks, 3);
    assert_int_equal(taken->holder_count, 1);
    assert_int_equal(taken->holders[0].blocks, 3);
}

static void test_an_arena_that_is_gone(void **state)
{
    struct place *place = *state;
    touch(place, 0, MEBI);
    tell(place, WIRE_PLACE_ARENA, 0, MEBI, 0);
    uint64_t before = row_of(survey(place), RESIDENT_PYMALLOC_FREE);
    tell(place, WIRE_PLACE_GONE, 0, MEBI, 0);
    assert_int_equal(before, MEBI);
    assert_int_equal(row_of(survey(place), RESIDENT_PYMALLOC_FREE), 0);
}

static void test_mappings_and_what_is_said_of_addresses(void **state)
{
    struct place *place = *state;
    touch(place, 0, ROOM_BYTES);
    stream_map(&place->stream, 0, at(place, MEBI), 2 * MEBI);
    tell(place, WIRE_PLACE_MAPPED, MEBI, 2 * MEBI, (uint64_t)(uintptr_t)&gnu_get_libc_version);
    allocate(place, WIRE_ALLOCATOR_MALLOC, 2 * MEBI,
             1000);                                 /* in a mapping, as some allocators do */
    tell(place, WIRE_PLACE_SHIM, 4 * MEBI, 100, 0); /* a page all the same */
    tell(place, WIRE_PLACE_FRAMES, 5 * MEBI, 16384, 0);
    stream_put(&place->stream, wire_extended(WIRE_EXTENDED_EMPTIED, 2));
    stream_put(&place->stream, at(place, MEBI));
    stream_put(&place->stream, WIRE_LAZILY_BIT | MEBI);
    const struct survey *taken = survey(place);
    assert_int_equal(row_of(taken, RESIDENT_MMAP), MEBI - 1000);
    assert_int_equal(row_of(taken, RESIDENT_MALLOC), 1000);
    assert_int_equal(row_of(taken, RESIDENT_LAZY), MEBI);
    assert_true(row_of(taken, RESIDENT_STACK) >= 16384);
    assert_true(row_of(taken, RESIDENT_SHIM) >= 4096);
    assert_true(row_of(taken, RESIDENT_UNSEEN) >= 5 * MEBI - 20480);
    assert_true(row_of(taken, RESIDENT_LIBRARY) > 0);
    for (uint32_t i = 0; i < taken->row_count; i++)
        if (taken->rows[i].kind == RESIDENT_MMAP)
            assert_non_null(strstr(taken->rows[i].name, "libc"));
}

static void test_a_heap_of_the_c_library(void **state)
{
    struct place *place = *state;
    touch(place, 0, ROOM_BYTES);
    tell(place, WIRE_PLACE_ALLOCATOR, (uint64_t)(uintptr_t)&malloc - at(place, 0), 1, 0);
    allocate(place, WIRE_ALLOCATOR_RAW, 16, 1000);
    allocate(place, WIRE_ALLOCATOR_MALLOC, 5 * MEBI + 8, 1);
    const struct survey *taken = survey(place);
    assert_int_equal(row_of(taken, RESIDENT_RAW), 1000);
    assert_int_equal(row_of(taken, RESIDENT_MALLOC), 1);
    assert_true(row_of(taken, RESIDENT_MALLOC_FREE) >= ROOM_BYTES - 1008 - 32);
}

static void test_blocks_over_each_other(void **state)
{
    struct place *place = *state;
    touch(place, 0, MEBI);
    tell(place, WIRE_PLACE_ARENA, 0, MEBI, 0);
    for (unsigned i = 0; i < 100; i++)
        allocate(place, WIRE_ALLOCATOR_OBJECT, i * 16, 500000); /* over each other */
    const struct survey *taken = survey(place);
    assert_int_equal(row_of(taken, RESIDENT_PYMALLOC_FREE), 0);
}

/* A record of any kind, about the room or anywhere. */
static void put_any(struct place *place)
{
    uint64_t offset = (uint64_t)rand() % (2 * ROOM_BYTES) - ROOM_BYTES / 2;
    uint64_t size = (uint64_t)rand() % (rand() % 2 ? 600 : MEBI);
    switch (rand() % 5) {
    case 0:
        tell(place, (enum wire_place)(rand() % (WIRE_PLACE_COUNT + 1)), offset, size + 1,
             at(place, offset) ^ (uint64_t)rand());
        break;
    case 1:
        stream_map(&place->stream, 0, at(place, offset) & ~UINT64_C(4095),
                   (size & ~UINT64_C(4095)) + 4096);
        break;
    case 2:
        stream_unmap(&place->stream, 0, at(place, offset) & ~UINT64_C(4095), 4096);
        break;
    default:
        allocate(place, (unsigned)rand() % 4, offset, size);
    }
}

static void test_any_records(void **state)
{
    struct place *place = *state;
    srand(18);
    touch(place, 0, ROOM_BYTES / 2);
    for (unsigned round = 0; round < 30; round++) {
        for (unsigned i = 0; i < 200; i++)
            put_any(place);
        const struct survey *taken = survey(place);
        assert_true(sum_of(taken) < UINT64_C(1) << 40);
        for (uint32_t i = 0; i < taken->holder_count; i++)
            assert_true(taken->holders[i].region < taken->region_count);
    }
}

static void test_what_cannot_be_looked_at(void **state)
{
    struct place *place = *state;
    struct survey_subject subject = process_subject(&place->stream.run, place->stream.process);
    subject.pid = 0;
    assert_false(survey_begin(&subject, RESIDENT_AT_END, 0));
    survey_finish(&subject);
    subject.pid = 0x3ffffff; /* nobody */
    assert_false(survey_begin(&subject, RESIDENT_AT_END, 0));
    survey_finish(&subject);
    assert_false(place->stream.process->book.surveys.end.is_taken);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_an_arena, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_an_arena_that_is_gone, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_mappings_and_what_is_said_of_addresses, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_a_heap_of_the_c_library, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_blocks_over_each_other, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_any_records, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_cannot_be_looked_at, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
