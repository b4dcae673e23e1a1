/*
 * A code object's strings are sent as they lie in memory (python_text.h); the collector makes UTF-8
 * of them. What is not of the expected type is sent as empty.
 */
#include "preload/python/code_announcement.h"

#include <string.h>

#include "preload/carrier/fragments.h"
#include "preload/python/python_layout.h"
#include "preload/python/python_text.h"

struct description {
    struct fragments fragments;
    struct wire_code head;
    struct part parts[4];
    unsigned next;
};

static uintptr_t load_pointer(uintptr_t object, uint32_t offset)
{
    return *(const uintptr_t *)(object + offset);
}

static struct part name_part(uintptr_t object, uint8_t *width)
{
    struct python_text text;
    python_text_read(object, &text);
    *width = text.width;
    return (struct part){text.data, text.bytes > WIRE_NAME_BYTES_MAX ? WIRE_NAME_BYTES_MAX
                                                                     : (uint32_t)text.bytes};
}

static struct part table_part(uintptr_t table)
{
    struct part part = {0};
    if (!table ||
        load_pointer(table, python_layout.at.object_type) != (uintptr_t)python_layout.bytes_type)
        return part;
    uint64_t bytes = load_pointer(table, python_layout.at.bytes_size);
    part.data = (const unsigned char *)table + python_layout.at.bytes_data;
    part.bytes = bytes > WIRE_TABLE_BYTES_MAX ? WIRE_TABLE_BYTES_MAX : (uint32_t)bytes;
    return part;
}

static struct part next_part(struct fragments *fragments)
{
    struct description *description = (struct description *)fragments;
    return description->parts[description->next++];
}

static void describe_code(struct description *description, uintptr_t code,
                          enum wire_line_table lines)
{
    struct wire_code *head = &description->head;
    struct part *parts = description->parts;
    memset(description, 0, sizeof *description);
    description->fragments.next_part = next_part;
    head->first_line = *(const int32_t *)(code + python_layout.at.code_first_line);
    head->line_table = (uint8_t)lines;
    parts[1] = name_part(load_pointer(code, python_layout.at.code_file), &head->file_width);
    parts[2] = name_part(load_pointer(code, python_layout.at.code_name), &head->name_width);
    if (lines != WIRE_LINES_TOLD)
        parts[3] = table_part(load_pointer(code, python_layout.at.code_table));
    head->file_bytes = parts[1].bytes;
    head->name_bytes = parts[2].bytes;
    head->table_bytes = parts[3].bytes;
    parts[0] = (struct part){(const unsigned char *)head, sizeof *head};
    for (unsigned i = 0; i < 4; i++)
        description->fragments.left += parts[i].bytes;
}

bool code_announce(uintptr_t code, uint32_t number, enum wire_line_table lines)
{
    struct description description;
    describe_code(&description, code, lines);
    return fragments_send(&description.fragments,
                          wire_first(WIRE_CODE) | (uint64_t)number << WIRE_CODE_SHIFT,
                          WIRE_CODE_BEGIN_BIT);
}
