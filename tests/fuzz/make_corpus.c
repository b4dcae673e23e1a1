/*
 * Writes the ring fuzzer's first inputs: a sound stream of every kind of record. Usage:
 * make_corpus FILE.
 */
#include <stdio.h>

#include "stream.h"

int main(int count, char **words)
{
    struct stream stream;
    stream_init(&stream, RING_LOG2_WORDS_MIN, true);
    stream_put(&stream,
               wire_first(WIRE_MARK) | (uint64_t)WIRE_MARK_PYTHON << WIRE_MARK_SHIFT | 0x030c01f0);
    stream_put(&stream, wire_first(WIRE_TIME) | 1000);
    stream_put(&stream, wire_first(WIRE_THREAD) | UINT64_C(1) << WIRE_THREAD_SLOT_SHIFT | 77);
    stream_code(&stream, 2, "/a.py", "f", 10);
    stream_frame(&stream, 1, 2, 3);
    stream_allocation(&stream, 1, 0x1000, 64);
    stream_allocation(&stream, 1, 0x2000, UINT64_C(1) << 30);
    stream_put(&stream, wire_first(WIRE_REALLOC_FREE) | 0x1000);
    stream_put(&stream, wire_first(WIRE_REALLOC_FAILED) | 0x1000);
    stream_map(&stream, 1, 0x10000, 0x8000);
    stream_unmap(&stream, 1, 0x11000, 0x1000);
    stream_map(&stream, 1, 0x13000, 0x2000);
    stream_unmap(&stream, 1, 0x10000, 0x6000);
    stream_unmap_failed(&stream, 1, 0x10000, 0x6000);
    stream_put(&stream, wire_first(WIRE_MARK) | (uint64_t)WIRE_MARK_PROGRAM_END << WIRE_MARK_SHIFT);
    stream_free(&stream, 0x1000);
    stream_unmap(&stream, 1, 0x12000, 0x9000);
    FILE *file = count == 2 ? fopen(words[1], "wb") : NULL;
    if (!file)
        return 1;
    for (uint64_t i = 0; i < stream.position; i++) {
        uint64_t word = stream.process->words[i] & ~WIRE_LAP_BIT;
        fwrite(&word, sizeof word, 1, file);
    }
    stream_deinit(&stream);
    return fclose(file) != 0;
}
