/*
 * What the shim reads in the reader's page, whatever stands there: a writer may be kept out or give
 * up, and never writes outside of the words, nor goes on for ever. The input is a page, as far as
 * it goes up to the first 64 bytes, then turns: of a writer, or a change of the page.
 */
#include <stdlib.h>
#include <string.h>

#include "driver.h"
#include "input.h"
#include "preload/carrier/ring_writer.h"
#include "preload/carrier/shared_ring.h"

#define PATIENCE_NS UINT64_C(1000000)
#define HEAD_BYTES  64u

void environment_forget(void);
void environment_forget(void)
{
}
void complain(const char *reason);
void complain(const char *reason)
{
    (void)reason;
}

static void write_record(unsigned words)
{
    uint64_t position;
    if (!ring_reserve(words, &position))
        return;
    for (unsigned i = 1; i < words; i++)
        ring_put(position + i, i);
    ring_publish(position, wire_first(WIRE_STACK));
}

static void change_page(struct ring_reader_page *page, struct input *input)
{
    switch (input_take(input, 1) % 8) {
    case 0:
        page->log2_words = (uint32_t)input_take(input, 1);
        break;
    case 1:
        page->state = (uint32_t)input_take(input, 4);
        break;
    case 2:
        page->owner = (uint32_t)input_take(input, 4);
        break;
    case 3:
        page->skips = (uint32_t)input_take(input, 1);
        break;
    case 4:
        page->clock = (uint32_t)input_take(input, 4);
        break;
    case 5:
        page->tail = input_take(input, 8);
        break;
    default:
        page->tail += input_take(input, 2);
    }
}

static void take_turns(struct ring_reader_page *page, struct input *input)
{
    while (input->left) {
        uint64_t turn = input_take(input, 1);
        if (turn & 1) {
            change_page(page, input);
            continue;
        }
        ring_tick();
        write_record(turn & 2 ? 1 + (unsigned)(input_take(input, 2) % RING_RECORD_WORDS_MAX) : 1);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = {data, size};
    _Alignas(64) struct ring_reader_page page = {0};
    size_t head = HEAD_BYTES;
    const uint8_t *begins = input_take_bytes(&input, &head);
    memcpy(&page, begins, head);
    size_t bytes = ring_writers_bytes(RING_LOG2_WORDS_MIN + page.reserved % 2);
    struct ring_writers_page *writers = aligned_alloc(64, bytes);
    if (!writers)
        abort();
    memset(writers, 0, bytes);
    page.patience_ns %= PATIENCE_NS;
    /* To wait takes long. */
    page.overflow = page.overflow % 16 ? RING_OVERFLOW_DROP : RING_OVERFLOW_BLOCK;
    atomic_store(&shim_gate.open, SHIM_GATE_OPEN);
    if (ring_writer_init(&shared_ring, &page, writers, bytes))
        take_turns(&page, &input);
    free(writers);
    return 0;
}
