/*
 * Messages of Protocol Buffers, byte by byte.
 */
#include "unit.h"

#include "viewer/export/protobuf.h"

static void assert_bytes(struct protobuf *message, const void *bytes, size_t size)
{
    assert_int_equal(message->size, size);
    assert_memory_equal(message->bytes, bytes, size);
    protobuf_deinit(message);
}

static void test_numbers(void **state)
{
    (void)state;
    struct protobuf message = {0};
    protobuf_number(&message, 1, 150);
    protobuf_number(&message, 2, 0); /* is the default */
    protobuf_number(&message, 16, 1);
    protobuf_number(&message, 3, UINT64_MAX);
    static const uint8_t bytes[] = {0x08, 0x96, 0x01, 0x80, 0x01, 0x01, 0x18, 0xff, 0xff,
                                    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01};
    assert_bytes(&message, bytes, sizeof bytes);
}

static void test_texts_and_messages(void **state)
{
    (void)state;
    struct protobuf inner = {0}, message = {0};
    protobuf_text(&inner, 2, "testing");
    protobuf_message(&message, 3, &inner);
    protobuf_clear(&inner);
    protobuf_message(&message, 3, &inner);
    protobuf_text(&message, 6, "");
    static const uint8_t bytes[] = {0x1a, 0x09, 0x12, 0x07, 't',  'e',  's', 't',
                                    'i',  'n',  'g',  0x1a, 0x00, 0x32, 0x00};
    assert_bytes(&message, bytes, sizeof bytes);
    protobuf_deinit(&inner);
}

static void test_packed(void **state)
{
    (void)state;
    static const uint64_t numbers[] = {3, 270, 86942, 0};
    struct protobuf message = {0};
    protobuf_numbers(&message, 4, numbers, 4);
    protobuf_numbers(&message, 4, NULL, 0);
    static const uint8_t bytes[] = {0x22, 0x07, 0x03, 0x8e, 0x02, 0x9e,
                                    0xa7, 0x05, 0x00, 0x22, 0x00};
    assert_bytes(&message, bytes, sizeof bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_texts_and_messages),
        cmocka_unit_test(test_packed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
