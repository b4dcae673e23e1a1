/*
 * A description of a code or a text comes in parts, one on its way at a time; parts that do not fit
 * together are dropped, with what came before.
 */
#include "collector/stream/descriptions.h"

#include <stdlib.h>

#include "collector/base/text.h"
#include "collector/native/native_frames.h"

/* A description is complete: the stream's number now means this code. */
static void define_code(struct cursor *cursor, uint32_t number)
{
    struct process *process = cursor->process;
    size_t count = process->mirror.code_numbers_count;
    if (number >= count) {
        if (!vector_reserve(&process->mirror.code_numbers, (size_t)number + 1, sizeof(uint32_t))) {
            NOTE_HERE(&cursor->run->ledger.memory_short);
            return;
        }
        process->mirror.code_numbers_count = number + 1;
    }
    const struct code_home home = {
        .root = process->peer.root, .directory = process->peer.directory, .peer = &process->peer};
    uint32_t code = codes_add(&cursor->run->stacks.codes, process->mirror.description.data.data,
                              process->mirror.description.bytes, &home);
    if (!code)
        book_damage(&process->book, DAMAGE_CODE);
    ((uint32_t *)process->mirror.code_numbers.data)[number] = code;
    process->mirror.description.code = WIRE_CODE_NONE;
}

/* How many bytes the description that has begun to arrive will have; 0: not known yet. */
static size_t description_size(const struct arriving *description)
{
    struct wire_code head;
    if (description->bytes < sizeof head)
        return 0;
    memcpy(&head, description->data.data, sizeof head);
    return sizeof head + (size_t)head.file_bytes + head.name_bytes + head.table_bytes;
}

/* The record at hand, of a code: so many more bytes of it. */
struct fragment {
    uint32_t code, bytes;
    bool begins;
};

/* Adds a record's bytes to what arrives, which has at most `most`. Returns the words read. */
static unsigned take_fragment(struct cursor *cursor, struct arriving *arriving,
                              const struct fragment *fragment, size_t most)
{
    if (fragment->begins) {
        arriving->code = fragment->code;
        arriving->bytes = 0;
    }
    bool sound =
        fragment->code >= WIRE_CODE_FIRST && fragment->code == arriving->code &&
        fragment->bytes > 0 && fragment->bytes <= WIRE_FRAGMENT_MAX &&
        arriving->bytes + fragment->bytes <= most &&
        vector_reserve(&arriving->data, arriving->bytes + fragment->bytes + sizeof(uint64_t), 1) &&
        read_bytes(cursor, cursor->position + 1, (uint8_t *)arriving->data.data + arriving->bytes,
                   fragment->bytes);
    if (!sound) {
        book_damage(&cursor->process->book, DAMAGE_RECORD);
        arriving->code = WIRE_CODE_NONE;
        return 1;
    }
    arriving->bytes += fragment->bytes;
    return 1 + words_of(fragment->bytes);
}

unsigned on_code(struct cursor *cursor, uint64_t first)
{
    struct arriving *description = &cursor->process->mirror.description;
    const struct fragment fragment = {
        .code = (uint32_t)(first >> WIRE_CODE_SHIFT & WIRE_CODE_MASK),
        .bytes = (uint32_t)(first & WIRE_CODE_LENGTH_MASK),
        .begins = first & WIRE_CODE_BEGIN_BIT,
    };
    unsigned words =
        take_fragment(cursor, description, &fragment,
                      sizeof(struct wire_code) + 2 * WIRE_NAME_BYTES_MAX + WIRE_TABLE_BYTES_MAX);
    if (description->code && description->bytes == description_size(description))
        define_code(cursor, fragment.code);
    return words;
}

/* A text is complete. */
static void define_text(struct cursor *cursor, struct arriving *arriving)
{
    const uint8_t *data = (const uint8_t *)arriving->data.data + sizeof(struct wire_text);
    size_t left = arriving->bytes - sizeof(struct wire_text);
    char *name = text_from_pieces(&data, &left, 1);
    char *text = text_from_pieces(&data, &left, UINT32_MAX);
    arriving->code = WIRE_CODE_NONE;
    if (name && text && !left)
        codes_tell_text(&cursor->run->stacks.codes, name, text);
    else
        free(text);
    free(name);
    if (left)
        book_damage(&cursor->process->book, DAMAGE_CODE);
}

unsigned on_text(struct cursor *cursor, uint64_t value)
{
    struct arriving *text = &cursor->process->mirror.text;
    struct wire_text head;
    const struct fragment fragment = {
        .code = WIRE_CODE_FIRST, /* of any */
        .bytes = (uint32_t)(value & WIRE_TEXT_LENGTH_MASK),
        .begins = value & WIRE_TEXT_BEGIN_BIT,
    };
    unsigned words = take_fragment(cursor, text, &fragment, sizeof head + WIRE_TEXT_BYTES_MAX);
    if (!text->code || text->bytes < sizeof head)
        return words;
    memcpy(&head, text->data.data, sizeof head);
    if (text->bytes == sizeof head + head.bytes)
        define_text(cursor, text);
    return words;
}

unsigned on_thread_name(struct cursor *cursor, uint64_t value)
{
    struct process *process = cursor->process;
    uint8_t data[WIRE_THREAD_NAME_BYTES_MAX];
    size_t bytes = value & WIRE_THREAD_NAME_LENGTH_MASK;
    unsigned width = value >> WIRE_THREAD_NAME_WIDTH_SHIFT & WIRE_THREAD_NAME_WIDTH_MASK;
    uint32_t slot = (uint32_t)(value >> WIRE_THREAD_NAME_SLOT_SHIFT & WIRE_THREAD_MASK);
    if (bytes > sizeof data || width > 2 ||
        !read_bytes(cursor, cursor->position + 1, data, bytes)) {
        book_damage(&process->book, DAMAGE_RECORD);
        return 1;
    }
    char *name = text_to_utf8(data, bytes, 1u << width);
    if (name)
        process_name_thread(cursor->run, process, slot, name);
    free(name);
    return 1 + words_of(bytes);
}

_Static_assert(WIRE_MODULE_ID_MAX == BUILD_ID_BYTES_MAX, "every build-id has room");

unsigned on_module(struct cursor *cursor, uint64_t first)
{
    struct process *process = cursor->process;
    struct native_range range = {0};
    struct build_id id = {.size = first >> WIRE_MODULE_ID_SHIFT & WIRE_MODULE_ID_MASK};
    uint8_t text[WIRE_MODULE_PATH_MAX + WIRE_MODULE_ID_MAX + 1];
    size_t length = first & WIRE_MODULE_LENGTH_MASK;
    if (length > WIRE_MODULE_PATH_MAX || id.size > WIRE_MODULE_ID_MAX ||
        !read_continuation(process, cursor->position + 1, &range.start) ||
        !read_continuation(process, cursor->position + 2, &range.end) ||
        !read_continuation(process, cursor->position + 3, &range.bias) ||
        !read_bytes(cursor, cursor->position + 4, text, length + id.size)) {
        book_damage(&process->book, DAMAGE_RECORD);
        return 1;
    }
    memcpy(id.bytes, text + length, id.size);
    text[length] = 0;
    native_ranges_add(&cursor->run->stacks, &process->mirror.native, &range, (const char *)text,
                      &id);
    return 4 + words_of(length + id.size);
}

unsigned on_made_code(struct cursor *cursor, uint64_t length)
{
    struct process *process = cursor->process;
    char name[WIRE_MADE_NAME_MAX + 1];
    uint64_t start, end;
    if (length > WIRE_MADE_NAME_MAX || !read_continuation(process, cursor->position + 1, &start) ||
        !read_continuation(process, cursor->position + 2, &end) || start >= end ||
        !read_bytes(cursor, cursor->position + 3, (uint8_t *)name, length)) {
        book_damage(&process->book, DAMAGE_RECORD);
        return 1;
    }
    name[length] = 0;
    native_made_add(&cursor->run->stacks, &process->mirror.native, start, end, name);
    return 3 + words_of(length);
}
