/*
 * The ring's reader against any words: whatever a traced process writes, the collector counts and
 * goes on. Afterwards the sums must still agree with the counters, and the history with both.
 */
#include <stdlib.h>
#include <string.h>

#include "collector/stream/decode.h"
#include "driver.h"
#include "failing.h"
#include "stream.h"

#define RING_LOG2 RING_LOG2_WORDS_MIN

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct stream stream;
    stream_init(&stream, RING_LOG2, true);
    failing_begin(data, size);
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
    failing_end();
    stream_check_sums(&stream);
    stream_check_history(&stream);
    stream_deinit(&stream);
    return 0;
}
