/*
 * A code object's strings lie in memory as PyUnicode data of one, two or four bytes a character and
 * are sent as they are; the collector makes UTF-8 of them. What is not of the expected type (a
 * subclass, an old non-compact string) is sent as empty.
 */
#include "code_announcement.h"

#include <string.h>

#include "python_layout.h"
#include "ring_writer.h"
#include "wire.h"

struct part {
    const unsigned char *data;
    uint32_t bytes;
};

/* The parts of a description, read byte by byte across their borders. */
struct description {
    struct wire_code head;
    struct part parts[4];
    unsigned part;
    uint32_t at;
    uint32_t left;
};

static uintptr_t load_pointer(uintptr_t object, uint32_t offset)
{
    return *(const uintptr_t *)(object + offset);
}

static bool is_a(uintptr_t object, const void *type)
{
    return object != 0 && load_pointer(object, python_layout.object_type) == (uintptr_t)type;
}

/* A string's characters; width 1 and no bytes where it cannot be read. */
static struct part text_part(uintptr_t text, uint8_t *width)
{
    *width = 1;
    struct part part = {0};
    if (!is_a(text, python_layout.text_type))
        return part;
    uint32_t state = *(const uint32_t *)(text + python_layout.text_state);
    state >>= python_layout.text_kind_shift;
    unsigned kind = state & 7;
    bool compact = state >> 3 & 1, ascii = state >> 4 & 1;
    if (!compact || (kind != 1 && kind != 2 && kind != 4))
        return part;
    uint64_t bytes = load_pointer(text, python_layout.text_length) * kind;
    part.data = (const unsigned char *)text +
                (ascii ? python_layout.text_ascii_data : python_layout.text_wide_data);
    part.bytes = bytes > WIRE_NAME_BYTES_MAX ? WIRE_NAME_BYTES_MAX : (uint32_t)bytes;
    *width = (uint8_t)kind;
    return part;
}

static struct part table_part(uintptr_t table)
{
    struct part part = {0};
    if (!is_a(table, python_layout.bytes_type))
        return part;
    uint64_t bytes = load_pointer(table, python_layout.bytes_size);
    part.data = (const unsigned char *)table + python_layout.bytes_data;
    part.bytes = bytes > WIRE_TABLE_BYTES_MAX ? WIRE_TABLE_BYTES_MAX : (uint32_t)bytes;
    return part;
}

static void describe(struct description *description, uintptr_t code)
{
    struct wire_code *head = &description->head;
    struct part *parts = description->parts;
    memset(description, 0, sizeof *description);
    head->first_line = *(const int32_t *)(code + python_layout.code_first_line);
    head->line_table = python_layout.line_table;
    parts[1] = text_part(load_pointer(code, python_layout.code_file), &head->file_width);
    parts[2] = text_part(load_pointer(code, python_layout.code_name), &head->name_width);
    parts[3] = table_part(load_pointer(code, python_layout.code_table));
    head->file_bytes = parts[1].bytes;
    head->name_bytes = parts[2].bytes;
    head->table_bytes = parts[3].bytes;
    parts[0] = (struct part){(const unsigned char *)head, sizeof *head};
    for (unsigned i = 0; i < 4; i++)
        description->left += parts[i].bytes;
}

static unsigned char next_byte(struct description *description)
{
    while (description->at == description->parts[description->part].bytes) {
        description->part++;
        description->at = 0;
    }
    description->left--;
    return description->parts[description->part].data[description->at++];
}

static uint64_t next_word(struct description *description)
{
    uint64_t word = 0;
    for (unsigned i = 0; i < WIRE_BYTES_PER_WORD && description->left; i++)
        word |= (uint64_t)next_byte(description) << 8 * i;
    return word;
}

static bool send_fragment(struct description *description, uint32_t number, bool begin)
{
    uint32_t bytes =
        description->left < WIRE_CODE_FRAGMENT_MAX ? description->left : WIRE_CODE_FRAGMENT_MAX;
    unsigned words = (bytes + WIRE_BYTES_PER_WORD - 1) / WIRE_BYTES_PER_WORD;
    uint64_t position;
    if (!ring_reserve(1 + words, &position))
        return false;
    for (unsigned i = 0; i < words; i++)
        ring_put(position + 1 + i, next_word(description));
    ring_publish(position, wire_first(WIRE_CODE) | (begin ? WIRE_CODE_BEGIN_BIT : 0) |
                               (uint64_t)number << WIRE_CODE_SHIFT | bytes);
    return true;
}

bool code_announce(uintptr_t code, uint32_t number)
{
    struct description description;
    describe(&description, code);
    for (bool begin = true; description.left; begin = false)
        if (!send_fragment(&description, number, begin))
            return false;
    return true;
}
