/*
 * A tracemalloc.Snapshot as a pickle, protocol 2.
 *
 * From CPython's Lib/tracemalloc.py (3.9 to 3.15): a Snapshot has traceback_limit and traces, a
 * _Traces, whose _traces is a sequence of (domain, size, ((file, line), …), frames in all), the
 * innermost frame first. Opcodes: Lib/pickle.py. What is said more than once is put into the memo
 * and taken from there: file names, frames, and the tuple of a block for its equal ones.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "viewer/base/cleanup.h"
#include "viewer/base/memory.h"
#include "viewer/export/export.h"

enum opcode {
    PROTOCOL = 0x80,
    GLOBAL = 'c',
    EMPTY_TUPLE = ')',
    NEW_OBJECT = 0x81,
    EMPTY_DICTIONARY = '}',
    EMPTY_LIST = ']',
    MARK = '(',
    SET_ITEMS = 'u',
    APPENDS = 'e',
    BUILD = 'b',
    TUPLE = 't',
    TUPLE_2 = 0x86,
    INTEGER = 'J', /* 4 bytes, signed */
    LONG = 0x8a,   /* length, then little-endian bytes */
    TEXT = 'X',    /* 4 bytes of length, UTF-8 */
    PUT = 'r',     /* 4 bytes */
    GET = 'j',
    STOP = '.',
};

/* How many items are appended at once, as pickle does. */
#define BATCH_ITEMS 1000u
/* tracemalloc's own name for what has no frame. */
#define UNKNOWN_FILE "<unknown>"

struct pickle {
    FILE *stream;
    const struct recording *recording;
    uint32_t memo;    /* entries so far */
    uint32_t *files;  /* memo entry + 1 of a file id, 0: none */
    uint32_t *frames; /* the same of a location */
    uint32_t batch;
};

static void put_opcode(struct pickle *pickle, enum opcode opcode)
{
    putc(opcode, pickle->stream);
}

static void put_number(struct pickle *pickle, enum opcode opcode, uint32_t number)
{
    put_opcode(pickle, opcode);
    for (unsigned i = 0; i < 4; i++)
        putc((int)(number >> 8 * i & 255), pickle->stream);
}

/* Nine bytes, so that the highest bit is never a sign. */
static void put_long(struct pickle *pickle, uint64_t number)
{
    if (number <= INT32_MAX) {
        put_number(pickle, INTEGER, (uint32_t)number);
        return;
    }
    put_opcode(pickle, LONG);
    putc(9, pickle->stream);
    for (unsigned i = 0; i < 8; i++)
        putc((int)(number >> 8 * i & 255), pickle->stream);
    putc(0, pickle->stream);
}

static void put_text(struct pickle *pickle, const char *text)
{
    size_t length = strlen(text);
    put_number(pickle, TEXT, (uint32_t)length);
    fwrite(text, 1, length, pickle->stream);
}

/* Takes from the memo, when it is there. */
static bool memo_get(struct pickle *pickle, const uint32_t *entry)
{
    if (!*entry)
        return false;
    put_number(pickle, GET, *entry - 1);
    return true;
}

static void memo_put(struct pickle *pickle, uint32_t *entry)
{
    put_number(pickle, PUT, pickle->memo++);
    *entry = pickle->memo;
}

static void begin_object(struct pickle *pickle, const char *name)
{
    put_opcode(pickle, GLOBAL);
    fprintf(pickle->stream, "tracemalloc\n%s\n", name);
    put_opcode(pickle, EMPTY_TUPLE);
    put_opcode(pickle, NEW_OBJECT);
    put_opcode(pickle, EMPTY_DICTIONARY);
    put_opcode(pickle, MARK);
}

static void end_object(struct pickle *pickle)
{
    put_opcode(pickle, SET_ITEMS);
    put_opcode(pickle, BUILD);
}

static void put_frame(struct pickle *pickle, uint32_t location)
{
    const struct frame *frame = &pickle->recording->symbols.frames[location];
    uint32_t *entry = &pickle->frames[location], *file = &pickle->files[frame->file_id];
    if (memo_get(pickle, entry))
        return;
    if (!memo_get(pickle, file)) {
        put_text(pickle, frame->file ? frame->file : UNKNOWN_FILE);
        memo_put(pickle, file);
    }
    put_number(pickle, INTEGER, frame->file ? (uint32_t)frame->line : 0);
    put_opcode(pickle, TUPLE_2);
    memo_put(pickle, entry);
}

/* (domain, size, frames, number of frames) */
static void put_block(struct pickle *pickle, uint32_t node, uint64_t size)
{
    const struct stacks *stacks = &pickle->recording->stacks;
    size_t depth = stacks_depth(stacks, node);
    put_opcode(pickle, MARK);
    put_number(pickle, INTEGER, 0);
    put_long(pickle, size);
    put_opcode(pickle, MARK);
    if (!node)
        put_frame(pickle, 0);
    for (; node; node = stacks->parent[node])
        put_frame(pickle, stacks->location[node]);
    put_opcode(pickle, TUPLE);
    put_number(pickle, INTEGER, (uint32_t)(depth ? depth : 1));
    put_opcode(pickle, TUPLE);
}

static void begin_item(struct pickle *pickle)
{
    if (pickle->batch++ % BATCH_ITEMS)
        return;
    if (pickle->batch > 1)
        put_opcode(pickle, APPENDS);
    put_opcode(pickle, MARK);
}

/* `count` blocks of one stack and size. */
static void put_blocks(struct pickle *pickle, uint32_t node, uint64_t size, uint64_t count)
{
    uint32_t entry = 0;
    for (uint64_t i = 0; i < count; i++) {
        begin_item(pickle);
        if (memo_get(pickle, &entry))
            continue;
        put_block(pickle, node, size);
        if (count > 1)
            memo_put(pickle, &entry);
    }
}

static void put_row(struct pickle *pickle, const struct row *row)
{
    if (!row->blocks)
        return;
    uint64_t size = row->bytes / row->blocks, larger = row->bytes % row->blocks;
    put_blocks(pickle, row->key, size + 1, larger);
    put_blocks(pickle, row->key, size, row->blocks - larger);
}

static void put_snapshot(struct pickle *pickle, const struct answer *answer, size_t deepest)
{
    put_opcode(pickle, PROTOCOL);
    putc(2, pickle->stream);
    begin_object(pickle, "Snapshot");
    put_text(pickle, "traceback_limit");
    put_number(pickle, INTEGER, (uint32_t)deepest);
    put_text(pickle, "traces");
    begin_object(pickle, "_Traces");
    put_text(pickle, "_traces");
    put_opcode(pickle, EMPTY_LIST);
    for (size_t i = 0; i < answer->row_count; i++)
        put_row(pickle, &answer->rows[i]);
    if (pickle->batch)
        put_opcode(pickle, APPENDS);
    end_object(pickle);
    end_object(pickle);
    put_opcode(pickle, STOP);
}

bool export_tracemalloc(FILE *stream, struct recording *recording, const struct query *query)
{
    CLEANUP(answer_deinit) struct answer answer;
    if (!export_ask_stacks(&answer, recording, query, GROUP_BY_STACK, NULL, NULL))
        return false;
    size_t deepest = 1;
    for (size_t i = 0; i < answer.row_count; i++) {
        size_t depth = stacks_depth(&recording->stacks, answer.rows[i].key);
        deepest = depth > deepest ? depth : deepest;
    }
    const struct symbols *symbols = &recording->symbols;
    CLEANUP(cleanup_free) uint32_t *files = memory_new(symbols->file_count + 1, sizeof *files);
    CLEANUP(cleanup_free) uint32_t *frames = memory_new(symbols->frame_count, sizeof *frames);
    struct pickle pickle = {
        .stream = stream, .recording = recording, .files = files, .frames = frames};
    put_snapshot(&pickle, &answer, deepest);
    return true;
}
