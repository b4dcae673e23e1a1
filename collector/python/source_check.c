/*
 * Looking a code object up in a text.
 *
 * Three things are looked at. Its lines must be there. They must not be blank, as no instruction
 * comes from nothing; a few may be, for compilers before CPython 3.12 count the lines within
 * f-strings wrongly. And its name must stand as a word on its first line, or behind the decorators
 * that begin there, unless it is one that no source has.
 */
#include "collector/python/source_check.h"

#include <stdlib.h>
#include <string.h>

#include "collector/python/source.h"
#include "collector/system/root_file.h"

/* Of so many lines one may be blank. */
#define LINES_PER_BLANK 32u
/* Decorators of a function do not take more lines. */
#define DECORATOR_LINES_MAX 1000u

/* --- lines --- */

/* Python ends lines at \n, \r\n and \r. */
static size_t next_line(const char *text, size_t bytes, size_t at)
{
    while (at < bytes && text[at] != '\n' && text[at] != '\r')
        at++;
    if (at < bytes)
        at += text[at] == '\r' && at + 1 < bytes && text[at + 1] == '\n' ? 2 : 1;
    return at;
}

static bool is_blank(const char *at, const char *end)
{
    while (at < end && memchr(" \t\f\r\n", *at, 5))
        at++;
    return at == end;
}

bool source_text_init(struct source_text *source, const char *text, size_t bytes)
{
    *source = (struct source_text){.text = text, .bytes = bytes};
    uint32_t count = 0;
    for (size_t at = 0; at < bytes; at = next_line(text, bytes, at))
        count++;
    source->starts = bytes < UINT32_MAX ? malloc((count + 1) * sizeof *source->starts) : NULL;
    source->is_blank = malloc(count + 1);
    if (!source->starts || !source->is_blank)
        return false;
    for (size_t at = 0, next; at < bytes; at = next) {
        next = next_line(text, bytes, at);
        source->is_blank[source->line_count] = is_blank(text + at, text + next);
        source->starts[source->line_count++] = (uint32_t)at;
    }
    source->starts[count] = (uint32_t)bytes;
    return true;
}

void source_text_deinit(struct source_text *source)
{
    free(source->starts);
    free(source->is_blank);
}

/* What a code's lines say of a text. */
struct lines_seen {
    uint32_t count, blank;
    bool beyond; /* there are fewer */
};

static void see_line(struct lines_seen *seen, const struct source_text *source, int32_t line)
{
    if (line <= 0)
        return;
    if ((uint32_t)line > source->line_count) {
        seen->beyond = true;
        return;
    }
    seen->count++;
    seen->blank += source->is_blank[line - 1];
}

static struct lines_seen see_lines(const struct source_text *source, const struct codes *codes,
                                   const struct code *code)
{
    struct lines_seen seen = {0};
    int32_t before = 0;
    for (uint32_t i = 0; i < code->unit_count; i++) {
        int32_t line = codes_unit_line(codes, code, i);
        /* What a whole file begins with stands on its first line, whatever that has. */
        if (line != before && line != code->first_line)
            see_line(&seen, source, line);
        before = line;
    }
    return seen;
}

/* --- the name --- */

static bool is_word_byte(char byte)
{
    return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
           (byte >= '0' && byte <= '9') || byte == '_' || (unsigned char)byte >= 0x80;
}

static bool has_word(const char *text, size_t bytes, const char *word)
{
    size_t length = strlen(word);
    for (const char *at = text; (at = memmem(at, bytes - (size_t)(at - text), word, length));
         at++) {
        bool begins = at == text || !is_word_byte(at[-1]);
        bool ends = at + length == text + bytes || !is_word_byte(at[length]);
        if (begins && ends)
            return true;
    }
    return false;
}

/* The word that must stand in the text; null: none. Identifiers beyond ASCII may be written in
 * several ways, and some names are made by the compiler. */
static const char *word_of(const char *name)
{
    const char *dot = strrchr(name, '.');
    const char *word = dot ? dot + 1 : name;
    if (strcmp(word, "<lambda>") == 0)
        return "lambda";
    for (const char *at = word; *at; at++)
        if (!is_word_byte(*at) || (unsigned char)*at >= 0x80)
            return NULL;
    return *word && strcmp(word, "__annotate__") != 0 ? word : NULL;
}

/* Languages whose functions may be called otherwise in their source than in their code. */
static bool has_own_names(const char *path)
{
    static const char *const endings[] = {".pyx", ".pxd", ".pxi", ".hy"};
    const char *dot = strrchr(path, '.');
    for (size_t i = 0; dot && i < sizeof endings / sizeof *endings; i++)
        if (strcmp(dot, endings[i]) == 0)
            return true;
    return false;
}

/* Does a line begin with this? */
static bool line_begins(const struct source_text *source, uint32_t line, const char *with)
{
    const char *at = source->text + source->starts[line - 1];
    const char *end = source->text + source->starts[line];
    while (at < end && (*at == ' ' || *at == '\t' || *at == '\f'))
        at++;
    size_t length = strlen(with);
    return (size_t)(end - at) >= length && memcmp(at, with, length) == 0;
}

/* The line that names what begins at `line`: behind its decorators, when it has any; 0: none. */
static uint32_t naming_line(const struct source_text *source, uint32_t line)
{
    if (line > source->line_count || !line_begins(source, line, "@"))
        return line > source->line_count ? 0 : line;
    uint32_t most = line + DECORATOR_LINES_MAX;
    for (; line <= source->line_count && line < most; line++)
        if (line_begins(source, line, "def ") || line_begins(source, line, "class ") ||
            line_begins(source, line, "async "))
            return line;
    return 0;
}

static bool name_stands(const struct source_text *source, const struct code *code)
{
    const char *word = word_of(code->name);
    if (!word)
        return true;
    uint32_t line = naming_line(source, code->first_line > 0 ? (uint32_t)code->first_line : 1);
    if (!line)
        return false;
    uint32_t start = source->starts[line - 1];
    return has_word(source->text + start, source->starts[line] - start, word);
}

bool source_fits(const struct source_text *source, const char *path, const struct codes *codes,
                 const struct code *code)
{
    struct lines_seen seen = see_lines(source, codes, code);
    if (seen.beyond || seen.blank > seen.count / LINES_PER_BLANK)
        return false;
    return has_own_names(path) || name_stands(source, code);
}

bool source_file_fits(int root, const char *path, const struct codes *codes,
                      const struct code *code)
{
    size_t bytes;
    struct source_text source = {0};
    char *text = root_file_read(root, path, SOURCE_BYTES_MAX, &bytes);
    bool fits =
        !text || !source_text_init(&source, text, bytes) || source_fits(&source, path, codes, code);
    source_text_deinit(&source);
    free(text);
    return fits;
}
