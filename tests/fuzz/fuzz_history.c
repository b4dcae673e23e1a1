/*
 * The reader of history chunks against any bytes: the first two say how many events there are and
 * where the summary ends, and what comes (events, or lifetimes) is packed, as no mutation would
 * survive the checksum.
 */
#include <stdlib.h>

#include "driver.h"
#include "failing.h"
#include "history.h"

#define COUNTERS 50u

static void check_event(const struct history_reader *reader, const struct history_event *event)
{
    const struct history_pair *pair = event->pair;
    bool known = pair >= reader->pairs && pair < reader->pairs + reader->pair_count;
    if (!known || pair->counter < 1 || pair->counter > COUNTERS || pair->size >= HISTORY_SIZE_MAX ||
        event->block >= reader->span.first_block + reader->span.events)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2 || data[1] > size - 2)
        return 0;
    struct history_reader reader;
    struct packer packer;
    struct history_event event;
    const uint8_t *packed;
    const struct history_span span = {.first_event = 100, .events = data[0], .first_block = 40};
    const uint8_t *summary = data + 2, *events = summary + data[1];
    if (!history_reader_init(&reader) || !packer_init(&packer))
        abort();
    failing_begin(data, size);
    size_t packed_size = packer_pack(&packer, summary, data[1], &packed);
    bool open = history_reader_open(&reader, &span, COUNTERS, packed, packed_size);
    packed_size = packer_pack(&packer, events, size - 2 - data[1], &packed);
    uint32_t count = 0;
    if (open && history_reader_begin(&reader, packed, packed_size))
        for (; history_next(&reader, &event) == HISTORY_EVENT; count++)
            check_event(&reader, &event);
    struct lifetimes lifetimes[COUNTERS] = {0};
    if (count > span.events)
        abort();
    if (open)
        history_read_lifetimes(&reader, packed, packed_size, lifetimes);
    failing_end();
    packer_deinit(&packer);
    history_reader_deinit(&reader);
    return 0;
}
