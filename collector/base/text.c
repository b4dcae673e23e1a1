/*
 * Conversions of text.
 */
#include "collector/base/text.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "wire.h"

#define REPLACEMENT 0xfffdu

static uint32_t character_at(const uint8_t *data, unsigned width)
{
    uint32_t character = 0;
    memcpy(&character, data, width);
    return character;
}

static char *put_character(char *out, uint32_t character)
{
    if (character == 0 || character > 0x10ffff || (character >= 0xd800 && character <= 0xdfff))
        character = REPLACEMENT;
    if (character < 0x80) {
        *out++ = (char)character;
        return out;
    }
    unsigned more = character < 0x800 ? 1 : character < 0x10000 ? 2 : 3;
    *out++ = (char)((~(0xffu >> (more + 1)) & 0xff) | character >> 6 * more);
    while (more--)
        *out++ = (char)(0x80 | (character >> 6 * more & 0x3f));
    return out;
}

static char *put_characters(char *out, const uint8_t *data, size_t bytes, unsigned width)
{
    for (size_t at = 0; at + width <= bytes; at += width)
        out = put_character(out, character_at(data + at, width));
    return out;
}

char *text_to_utf8(const uint8_t *data, size_t bytes, unsigned width)
{
    size_t characters = bytes / width;
    char *text = malloc(characters * 4 + 1);
    if (!text)
        return NULL;
    *put_characters(text, data, bytes, width) = 0;
    return text;
}

char *text_from_pieces(const uint8_t **data, size_t *left, uint32_t most)
{
    /* No character becomes more than three times as long: a NUL does. */
    char *text = malloc(3 * *left + 1), *out = text;
    while (text && most-- && *left) {
        uint32_t head, width_code, piece;
        if (*left < sizeof head)
            break;
        memcpy(&head, *data, sizeof head);
        width_code = head >> WIRE_TEXT_PIECE_WIDTH_SHIFT;
        piece = head & WIRE_TEXT_PIECE_BYTES_MASK;
        if (width_code > 2 || piece > *left - sizeof head)
            break;
        out = put_characters(out, *data + sizeof head, piece, 1u << width_code);
        *data += sizeof head + piece;
        *left -= sizeof head + piece;
    }
    if (text)
        *out = 0;
    return text;
}

char *text_from_bytes(const char *bytes)
{
    json_t *valid = json_string(bytes);
    char *text = valid ? strdup(bytes) : text_to_utf8((const uint8_t *)bytes, strlen(bytes), 1);
    json_decref(valid);
    return text;
}

void text_cut(char *to, size_t room, const char *from)
{
    size_t bytes = strlen(from);
    if (bytes >= room) {
        bytes = room - 1;
        while (bytes > 0 && ((unsigned char)from[bytes] & 0xc0) == 0x80)
            bytes--;
    }
    memcpy(to, from, bytes);
    to[bytes] = 0;
}

static json_t *json_text(const char *bytes)
{
    char *text = text_from_bytes(bytes);
    json_t *json = text ? json_string(text) : NULL;
    free(text);
    return json;
}

char *text_list_to_json(const char *data, size_t bytes)
{
    json_t *list = json_array();
    for (size_t at = 0; at < bytes;) {
        char *part = strndup(data + at, bytes - at);
        if (!part)
            break;
        at += strlen(part) + 1;
        json_array_append_new(list, json_text(part));
        free(part);
    }
    char *json = json_dumps(list, JSON_COMPACT);
    json_decref(list);
    return json;
}
