/*
 * Writes fuzzers' first inputs. Usage: make_corpus KIND FILE, where KIND is
 *
 *   ring     a sound stream of every kind of record
 *   frames   the same in one frame
 *   words    the same for being put into frames
 *   writers  the same as a peer's turns
 *   hello    a hello with every detail
 *   welcome  a welcome to a stream, and a farewell
 */
#include <stdio.h>
#include <string.h>

#include "handshake.h"
#include "stream.h"

/* A library, and a stack with an address in it. */
static void put_native(struct stream *stream)
{
    stream_put(stream, wire_first(WIRE_MODULE) | UINT64_C(2) << WIRE_MODULE_ID_SHIFT | 3);
    stream_put(stream, 0x400000);
    stream_put(stream, 0x500000);
    stream_put(stream, 0x400000);
    stream_put(stream, UINT64_C(0xbeef6f732f)); /* "/so", ef be */
    stream_put(stream,
               wire_first(WIRE_MARK) | (uint64_t)WIRE_MARK_MADE_CODE << WIRE_MARK_SHIFT | 3);
    stream_put(stream, 0x600000);
    stream_put(stream, 0x600100);
    stream_put(stream, 0x646461); /* "add" */
    stream_put(stream, wire_first(WIRE_NATIVE) | UINT64_C(2) << WIRE_STACK_COUNT_SHIFT | 2);
    stream_put(stream, 0x401234);
    stream_put(stream, 0x600010);
    stream_put(stream, wire_first(WIRE_ALLOCATION) |
                           (uint64_t)WIRE_DEPTH_CHANGE_BIAS << WIRE_DEPTH_CHANGE_SHIFT | 0x3000);
    stream_put(stream, WIRE_NATIVE_STACK_BIT | UINT64_C(8) << WIRE_SIZE_SHIFT);
}

static void put_place(struct stream *stream, enum wire_place kind, uint64_t start, uint64_t bytes)
{
    stream_put(stream, wire_extended(WIRE_EXTENDED_PLACE, 2));
    stream_put(stream, start);
    stream_put(stream, (uint64_t)kind << WIRE_PLACE_SHIFT | bytes);
}

/* What has no kind of its own. */
static void put_extended(struct stream *stream)
{
    put_place(stream, WIRE_PLACE_ARENA, 0x7f0000000000, 0x100000);
    put_place(stream, WIRE_PLACE_FRAMES, 0x7f0000200000, 0x4000);
    put_place(stream, WIRE_PLACE_STACK, 0x7f0000300000, 1);
    put_place(stream, WIRE_PLACE_ALLOCATOR, 0x7f0000400000, 1);
    put_place(stream, WIRE_PLACE_SHIM, 0x7f0000500000, 0x1000);
    put_place(stream, WIRE_PLACE_GONE, 0x7f0000000000, 0x8000);
    stream_put(stream, wire_extended(WIRE_EXTENDED_PLACE, 3));
    stream_put(stream, 0x12000);
    stream_put(stream, (uint64_t)WIRE_PLACE_MAPPED << WIRE_PLACE_SHIFT | 0x9000);
    stream_put(stream, 0x400100);
    stream_put(stream, wire_extended(WIRE_EXTENDED_PRESENT, 2));
    stream_put(stream, 0x12000);
    stream_put(stream, 0x3000);
    stream_put(stream, wire_extended(WIRE_EXTENDED_ACCESSIBLE, 3));
    stream_put(stream, WIRE_NO_STACK_BIT);
    stream_put(stream, 0x14000);
    stream_put(stream, 0x2000);
    stream_put(stream, wire_extended(WIRE_EXTENDED_EMPTIED, 3));
    stream_put(stream, 0x13000);
    stream_put(stream, WIRE_LOOKED_BIT | WIRE_LAZILY_BIT | 0x1000);
    stream_put(stream, 0x1000);
    stream_put(stream, wire_extended(WIRE_EXTENDED_LOOKED, 0));
}

static void put_records(struct stream *stream)
{
    stream_put(stream,
               wire_first(WIRE_MARK) | (uint64_t)WIRE_MARK_PYTHON << WIRE_MARK_SHIFT | 0x030c01f0);
    stream_put(stream, wire_first(WIRE_TIME) | 1000);
    stream_put(stream, wire_first(WIRE_THREAD) | UINT64_C(1) << WIRE_THREAD_SLOT_SHIFT | 77);
    stream_put(stream, wire_first(WIRE_MARK) | (uint64_t)WIRE_MARK_THREAD_NAME << WIRE_MARK_SHIFT |
                           UINT64_C(1) << WIRE_THREAD_NAME_SLOT_SHIFT | 2);
    stream_put(stream, 'a' | 'b' << 8);
    stream_code(stream, 2, "/a.py", "f", 10);
    stream_text(stream, true, "\x10\0\0\0\5\0\0\0/a.py\3\0\0\0x=1", 20);
    stream_frame(stream, 1, 2, 3);
    stream_allocation(stream, 1, 0x1000, 64);
    stream_allocation(stream, 1, 0x2000, UINT64_C(1) << 30);
    stream_put(stream, wire_first(WIRE_REALLOC_FREE) | 0x1000);
    stream_put(stream, wire_first(WIRE_REALLOC_FAILED) | 0x1000);
    stream_map(stream, 1, 0x10000, 0x8000);
    stream_unmap(stream, 1, 0x11000, 0x1000);
    stream_map(stream, 1, 0x13000, 0x2000);
    stream_unmap(stream, 1, 0x10000, 0x6000);
    stream_unmap_failed(stream, 1, 0x10000, 0x6000);
    put_native(stream);
    put_extended(stream);
    stream_put(stream, wire_first(WIRE_MARK) | (uint64_t)WIRE_MARK_PROGRAM_END << WIRE_MARK_SHIFT);
    stream_free(stream, 0x1000);
    stream_unmap(stream, 1, 0x12000, 0x9000);
}

/* `kept`: bits of each word that are. */
static void write_words(FILE *file, uint64_t kept)
{
    struct stream stream;
    stream_init(&stream, RING_LOG2_WORDS_MIN, true);
    put_records(&stream);
    const struct frame frame = {.magic = FRAME_MAGIC, .words = (uint32_t)stream.position};
    if (kept & WIRE_LAP_BIT)
        fwrite(&frame, sizeof frame, 1, file);
    for (uint64_t i = 0; i < stream.position; i++) {
        uint64_t word = stream.process->ring.words[i] & kept;
        fwrite(&word, sizeof word, 1, file);
    }
    stream_deinit(&stream);
}

/* Sixteen words a turn (fuzz_writers.c), then the head. */
static void write_turns(FILE *file)
{
    struct stream stream;
    stream_init(&stream, RING_LOG2_WORDS_MIN, true);
    put_records(&stream);
    fputc(2 << 2, file);
    for (uint16_t at = 0; at < stream.position; at += 16) {
        fputc(4, file);
        fwrite(&at, sizeof at, 1, file);
        fputc(15, file);
        fwrite((const void *)&stream.process->ring.words[at], sizeof(uint64_t), 16, file);
        fputc(0, file);
    }
    uint16_t head = (uint16_t)(stream.position + 8);
    fputc(0, file);
    fwrite(&head, sizeof head, 1, file);
    fputc(255, file);
    stream_deinit(&stream);
}

static void write_hello(FILE *file)
{
    static const char details[] = "token=secret\0run=0123\0session=web\0machine=boot/pid:[1]\0"
                                  "folder=/tmp\0argument=python3\0argument=a b.py\0argument=\0"
                                  "name=app\0overflow=drop\0frames=8\0history=0\0children=0";
    const struct hello hello = {.magic = HANDSHAKE_MAGIC,
                                .wire_version = WIRE_VERSION,
                                .python_version = 0x030c01f0,
                                .process = 77,
                                .carrier = HELLO_STREAM,
                                .details = sizeof details};
    fwrite(&hello, sizeof hello, 1, file);
    fwrite(details, sizeof details, 1, file);
}

static void write_welcome(FILE *file)
{
    struct welcome welcome = {.magic = HANDSHAKE_MAGIC,
                              .wire_version = WIRE_VERSION,
                              .verdict = WELCOME_ACCEPTED,
                              .carrier = HELLO_STREAM,
                              .log2_words = RING_LOG2_WORDS_MIN,
                              .overflow = RING_OVERFLOW_DROP,
                              .patience_ns = 1000000,
                              .stream = 7};
    fwrite(&welcome, sizeof welcome, 1, file);
    welcome.verdict = WELCOME_LIMIT;
    fwrite(&welcome, sizeof welcome, 1, file);
}

int main(int count, char **words)
{
    FILE *file = count == 3 ? fopen(words[2], "wb") : NULL;
    if (!file)
        return 1;
    if (strcmp(words[1], "hello") == 0) {
        fwrite("\7\3", 2, 1, file);
        write_hello(file);
    } else if (strcmp(words[1], "welcome") == 0) {
        write_welcome(file);
    } else if (strcmp(words[1], "writers") == 0) {
        write_turns(file);
    } else if (strcmp(words[1], "frames") == 0) {
        fwrite("\1\2\0", 3, 1, file);
        write_words(file, UINT64_MAX);
    } else {
        if (strcmp(words[1], "words") == 0)
            fwrite("\0\4\5", 3, 1, file);
        write_words(file, ~WIRE_LAP_BIT);
    }
    return fclose(file) != 0;
}
