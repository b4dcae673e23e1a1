/*
 * Varints and chunks: golden bytes, and no way to read past their end.
 */
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#include "unit.h"

#include "chunk.h"
#include "varint.h"

static void test_varint_bytes(void **state)
{
    static const struct {
        uint64_t value;
        unsigned char bytes[VARINT_BYTES_MAX];
        size_t size;
    } cases[] = {
        {0, {0}, 1},
        {127, {127}, 1},
        {128, {0x80, 1}, 2},
        {300, {0xac, 2}, 2},
        {UINT64_MAX, {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1}, 10},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint8_t out[VARINT_BYTES_MAX];
        const uint8_t *in = out;
        uint64_t value;
        assert_int_equal(varint_put(out, cases[i].value) - out, cases[i].size);
        assert_memory_equal(out, cases[i].bytes, cases[i].size);
        assert_false(varint_get(&in, out + cases[i].size - 1, &value));
        assert_true(varint_get(&in, out + cases[i].size, &value));
        assert_int_equal(value, cases[i].value);
    }
}

static void test_varint_that_does_not_fit(void **state)
{
    const uint8_t eleven[] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x80, 1};
    const uint8_t two[] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2};
    const uint8_t *in = eleven;
    uint64_t value;
    (void)state;
    assert_false(varint_get(&in, eleven + sizeof eleven, &value));
    assert_ptr_equal(in, eleven);
    in = two;
    assert_false(varint_get(&in, two + sizeof two, &value));
}

static void test_zigzag(void **state)
{
    (void)state;
    assert_int_equal(zigzag(0), 0);
    assert_int_equal(zigzag(-1), 1);
    assert_int_equal(zigzag(1), 2);
    assert_int_equal(unzigzag(zigzag(INT64_MIN)), INT64_MIN);
    assert_int_equal(unzigzag(zigzag(INT64_MAX)), INT64_MAX);
}

static void test_size_classes(void **state)
{
    (void)state;
    assert_int_equal(size_class_of(0), 0);
    assert_int_equal(size_class_of(1), 1);
    assert_int_equal(size_class_of(2), 2);
    assert_int_equal(size_class_of(3), 3);
    assert_int_equal(size_class_of(4), 3);
    assert_int_equal(size_class_of(5), 4);
    assert_int_equal(size_class_of(64), 7);
    assert_int_equal(size_class_of(65), 8);
    assert_int_equal(size_class_of(UINT64_C(1) << 47), 48);
}

/* The plain bytes of a chunk just written. */
static void check_plain(struct chunk_writer *writer, const uint8_t *golden, size_t size)
{
    const uint8_t *data;
    uint8_t plain[256];
    size_t packed = chunk_writer_finish(writer, &data);
    assert_true(packed > 0);
    assert_int_equal(ZSTD_getFrameContentSize(data, packed), size);
    assert_int_equal(ZSTD_decompress(plain, sizeof plain, data, packed), size);
    assert_memory_equal(plain, golden, size);
}

static void test_chunk_bytes(void **state)
{
    static const uint8_t nodes[] = {1, 14, 2, 13};
    static const uint8_t counters[] = {200, 1, 1,    3 | 7 << 3, 5, 0xc0, 2, 4, 0x80,
                                       2,   3, 0xc0, 1,          2, 0x80, 1, 1, 64};
    (void)state;
    struct chunk_writer writer;
    assert_true(chunk_writer_init(&writer));
    chunk_add_node(&writer, 1, &(struct node_row){.parent = 0, .location = 7});
    chunk_add_node(&writer, 2, &(struct node_row){.parent = 0, .location = 0});
    check_plain(&writer, nodes, sizeof nodes);
    struct counter_row row = {100, 1, 3, 7, 5, 320, 4, 256, 3, 192, 2, 128, 1, 64};
    chunk_add_counter(&writer, &row);
    check_plain(&writer, counters, sizeof counters);
    chunk_writer_deinit(&writer);
}

static void test_chunk_round_trip_and_damage(void **state)
{
    (void)state;
    struct chunk_writer writer;
    struct chunk_reader reader;
    struct counter_row row = {.node = 9, .thread = 2, .allocator = 1, .size_class = 5}, back;
    struct node_row node;
    const uint8_t *data;
    assert_true(chunk_writer_init(&writer) && chunk_reader_init(&reader));
    for (unsigned i = 0; i < CHUNK_ROWS; i++) {
        row.node = (i * 7919u) % 5000u;
        row.allocated_bytes = (uint64_t)i << 40;
        chunk_add_counter(&writer, &row);
    }
    size_t size = chunk_writer_finish(&writer, &data);
    assert_true(chunk_reader_open(&reader, data, size));
    for (unsigned i = 0; i < CHUNK_ROWS; i++) {
        assert_true(chunk_next_counter(&reader, &back));
        assert_int_equal(back.node, (i * 7919u) % 5000u);
        assert_int_equal(back.allocated_bytes, (uint64_t)i << 40);
    }
    assert_true(chunk_reader_at_end(&reader));
    assert_false(chunk_next_counter(&reader, &back));
    for (size_t cut = 0; cut < size; cut++)
        assert_false(chunk_reader_open(&reader, data, cut) && !chunk_reader_at_end(&reader));
    /* A node whose parent would be before the first. */
    chunk_add_node(&writer, 5, &(struct node_row){.parent = 0, .location = 1});
    size = chunk_writer_finish(&writer, &data);
    assert_true(chunk_reader_open(&reader, data, size));
    assert_false(chunk_next_node(&reader, 4, &node));
    chunk_reader_deinit(&reader);
    chunk_writer_deinit(&writer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_varint_bytes), cmocka_unit_test(test_varint_that_does_not_fit),
        cmocka_unit_test(test_zigzag),       cmocka_unit_test(test_size_classes),
        cmocka_unit_test(test_chunk_bytes),  cmocka_unit_test(test_chunk_round_trip_and_damage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
