/*
 * UTF-8 for output.
 *
 * File names, function names and source lines come from the traced program and may hold anything.
 * They are cleaned once when they are read (utf8_clean) and escaped once when they go to a
 * terminal (utf8_escape); after that every character has a width of 0 to 2 columns. Words of the
 * command line and names of files are escaped as they are. Nothing here fails: what is not UTF-8
 * becomes U+FFFD when it is cleaned, \x9b when it is escaped.
 */
#include "viewer/base/utf8.h"

#include <langinfo.h>
#include <locale.h>
#include <stdio.h>
#include <string.h>
#include <wchar.h>

#include "viewer/base/memory.h"

#define CODE_POINT_INVALID    UINT32_MAX
#define REPLACEMENT_CHARACTER UINT32_C(0xfffd)
#define REPLACEMENT_TEXT      "\xef\xbf\xbd"
#define ELLIPSIS_TEXT         "\xe2\x80\xa6"

void utf8_init(void)
{
    setlocale(LC_CTYPE, "");
    if (strcmp(nl_langinfo(CODESET), "UTF-8"))
        setlocale(LC_CTYPE, "C.UTF-8");
}

/* How many bytes a character has that begins so; 0 when none does. */
static size_t utf8_length(unsigned char first)
{
    if (first < 0x80)
        return 1;
    if (first >= 0xc2 && first < 0xe0)
        return 2;
    if (first >= 0xe0 && first < 0xf0)
        return 3;
    return first >= 0xf0 && first < 0xf5 ? 4 : 0;
}

static uint32_t utf8_decode(const unsigned char *bytes, size_t length)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    uint32_t character = length == 1 ? bytes[0] : bytes[0] & (0x7fu >> length);
    for (size_t i = 1; i < length; i++) {
        if ((bytes[i] & 0xc0) != 0x80)
            return CODE_POINT_INVALID;
        character = character << 6 | (bytes[i] & 0x3fu);
    }
    if (character < least[length] || character > 0x10ffff || (character >> 11) == 0x1b)
        return CODE_POINT_INVALID;
    return character;
}

uint32_t utf8_next(const char **text, const char *end)
{
    const unsigned char *bytes = (const unsigned char *)*text;
    size_t length = utf8_length(bytes[0]);
    uint32_t character = CODE_POINT_INVALID;
    if (length && length <= (size_t)(end - *text))
        character = utf8_decode(bytes, length);
    *text += character == CODE_POINT_INVALID ? 1 : length;
    return character == CODE_POINT_INVALID ? REPLACEMENT_CHARACTER : character;
}

char *utf8_clean(const char *text, size_t length)
{
    length = strnlen(text, length);
    char *result = memory_new(length + 1, 3), *out = result;
    for (const char *at = text, *end = text + length; at < end;) {
        const char *start = at;
        if (utf8_next(&at, end) == REPLACEMENT_CHARACTER)
            out = mempcpy(out, REPLACEMENT_TEXT, 3);
        else
            out = mempcpy(out, start, (size_t)(at - start));
    }
    return result;
}

bool utf8_is_unruly(uint32_t character)
{
    static const uint32_t ranges[][2] = {
        {0, 0x1f},        {0x7f, 0x9f},     {0x61c, 0x61c},     {0x180e, 0x180e},
        {0x200b, 0x200b}, {0x200e, 0x200f}, {0x2028, 0x202e},   {0x2060, 0x206f},
        {0xfeff, 0xfeff}, {0xfff9, 0xfffb}, {0xe0000, 0xe007f},
    };
    if (character >= 0x20 && character < 0x7f)
        return false;
    for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++)
        if (character >= ranges[i][0] && character <= ranges[i][1])
            return true;
    return wcwidth((wchar_t)character) < 0;
}

bool utf8_is_cut(const char *text, const char *end)
{
    size_t left = (size_t)(end - text), length = utf8_length(*(const unsigned char *)text);
    if (left >= length)
        return false;
    for (size_t i = 1; i < left; i++)
        if (((unsigned char)text[i] & 0xc0) != 0x80)
            return false;
    return true;
}

static char *utf8_put_escape(char *out, uint32_t character)
{
    static const char letters[] = "abtnvfr";
    if (character >= 7 && character <= 13)
        return out + sprintf(out, "\\%c", letters[character - 7]);
    return out + sprintf(out, "\\u{%x}", (unsigned)character);
}

char *utf8_put_printable(char *out, const char **text, const char *end)
{
    const char *start = *text;
    uint32_t character = utf8_next(text, end);
    size_t length = (size_t)(*text - start);
    if (character == REPLACEMENT_CHARACTER && length == 1)
        return out + sprintf(out, "\\x%02x", (unsigned char)*start);
    return utf8_is_unruly(character) ? utf8_put_escape(out, character)
                                     : mempcpy(out, start, length);
}

char *utf8_escape(const char *text)
{
    const char *end = text + strlen(text);
    char *result = memory_new(strlen(text) + 1, UTF8_ESCAPE_MAX), *out = result;
    while (text < end)
        out = utf8_put_printable(out, &text, end);
    return result;
}

static size_t utf8_columns(uint32_t character)
{
    int width = character < 0x80 ? 1 : wcwidth((wchar_t)character);
    return width < 0 ? 1 : (size_t)width;
}

size_t utf8_width(const char *text)
{
    size_t width = 0;
    for (const char *end = text + strlen(text); text < end;)
        width += utf8_columns(utf8_next(&text, end));
    return width;
}

/* The end of the longest beginning of `text` that fits into `width` columns. */
static const char *utf8_fit(const char *text, size_t width)
{
    const char *end = text + strlen(text);
    while (text < end) {
        const char *next = text;
        size_t columns = utf8_columns(utf8_next(&next, end));
        if (columns > width)
            break;
        width -= columns;
        text = next;
    }
    return text;
}

/* The start of the longest ending of `text` that fits into `width` columns. */
static const char *utf8_fit_end(const char *text, size_t width)
{
    const char *end = text + strlen(text);
    size_t columns = utf8_width(text);
    while (columns > width)
        columns -= utf8_columns(utf8_next(&text, end));
    return text;
}

char *utf8_cut_end(const char *text, size_t width)
{
    if (utf8_width(text) <= width)
        return memory_copy(text);
    return memory_print("%.*s" ELLIPSIS_TEXT, (int)(utf8_fit(text, width - 1) - text), text);
}

char *utf8_cut_middle(const char *text, size_t width)
{
    if (utf8_width(text) <= width)
        return memory_copy(text);
    size_t head = (width - 1) / 3;
    return memory_print("%.*s" ELLIPSIS_TEXT "%s", (int)(utf8_fit(text, head) - text), text,
                        utf8_fit_end(text, width - 1 - head));
}
