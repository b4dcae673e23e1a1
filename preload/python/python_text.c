/*
 * PyUnicode data of one, two or four bytes a character stand right behind a compact string's head.
 */
#include "preload/python/python_text.h"

#include <string.h>

#include "preload/python/python_layout.h"

static uintptr_t load_pointer(uintptr_t object, uint32_t offset)
{
    return *(const uintptr_t *)(object + offset);
}

bool python_text_read(uintptr_t object, struct python_text *text)
{
    *text = (struct python_text){.width = 1};
    if (!object ||
        load_pointer(object, python_layout.at.object_type) != (uintptr_t)python_layout.text_type)
        return false;
    uint32_t state = *(const uint32_t *)(object + python_layout.at.text_state);
    state >>= PYTHON_TEXT_KIND_SHIFT;
    unsigned kind = state & 7;
    bool compact = state >> 3 & 1, ascii = state >> 4 & 1;
    if (!compact || (kind != 1 && kind != 2 && kind != 4))
        return false;
    text->data = (const unsigned char *)object +
                 (ascii ? python_layout.at.text_ascii_data : python_layout.at.text_wide_data);
    text->bytes = load_pointer(object, python_layout.at.text_length) * kind;
    text->width = (uint8_t)kind;
    return true;
}

bool python_text_equals(const struct python_text *text, const struct python_text *other)
{
    return text->width == other->width && text->bytes == other->bytes &&
           memcmp(text->data, other->data, text->bytes) == 0;
}
