/*
 * The ring's reader against any words: whatever a traced process writes, the collector counts and
 * goes on. Afterwards the sums must still agree with the counters, and the history with both.
 */
#include <stdlib.h>
#include <string.h>

#include "decode.h"
#include "driver.h"
#include "stream.h"

#define RING_LOG2 RING_LOG2_WORDS_MIN

static void check_sums(const struct stream *stream)
{
    uint64_t bytes = 0, blocks = 0;
    for (uint32_t i = 1; i < stream->process->counters.count; i++) {
        const struct counter *counter = counters_at(&stream->process->counters, i);
        bytes += counter->bytes;
        blocks += counter->blocks;
    }
    const struct heap_sums *sums = &stream->process->sums;
    if (bytes != sums->bytes || blocks != sums->blocks || blocks + sums->frees != sums->allocations)
        abort();
    /* Of a single process the run's peak is its own. */
    const struct run_peak *peak = &stream->run.peak;
    if (peak->live_bytes != bytes || peak->live_blocks != blocks ||
        peak->bytes != sums->peak_bytes || peak->blocks != sums->peak_blocks)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct stream stream;
    stream_init(&stream, RING_LOG2, true);
    for (size_t at = 0; at + 8 <= size; at += 8) {
        uint64_t word;
        memcpy(&word, data + at, sizeof word);
        /* Bit 63 of the input: this word is never published. */
        if (word & WIRE_LAP_BIT)
            stream.position++;
        else
            stream_put(&stream, word);
        if ((at & 1023) == 0)
            stream_decode(&stream);
    }
    stream_decode(&stream);
    while (decode_skip_hole(stream.process))
        stream_decode(&stream);
    check_sums(&stream);
    stream_check_history(&stream);
    stream_deinit(&stream);
    return 0;
}
