/*
 * The symbols come from the traced process, and this is no process of its own as libiberty's
 * demangler has: of C++'s names (Itanium ABI) only what one pass reads is decoded, scopes and
 * names without templates and substitutions.
 *
 * numba (numba/core/itanium_mangler.py) makes such a name of Python's: module and qualified name,
 * split at the dots, in which `<locals>` has become _3clocals_3e. Its first tag (B) is `v` and the
 * number of the compilation, by which its names are told from others. What calls the function from
 * Python, or from C, is in a scope of its own in front.
 */
#include "collector/symbols/made_name.h"

#include <ctype.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "collector/symbols/native_symbol.h"

#define PREFIX     "_Z"
#define LENGTH_MAX 4096u

struct part {
    const char *at;
    size_t length;
};

struct output {
    char name[2 * LENGTH_MAX]; /* of one that is no longer than half of it: separators are two */
    size_t length;
};

/* The name with its length in front at *at, which is moved behind it. */
static bool read_part(const char **at, struct part *part)
{
    const char *digit = *at;
    part->length = 0;
    while (isdigit((unsigned char)*digit) && part->length < LENGTH_MAX)
        part->length = part->length * 10 + (size_t)(*digit++ - '0');
    part->at = digit;
    if (!part->length || part->length > strlen(digit))
        return false;
    *at = digit + part->length;
    return true;
}

static bool is_part(const struct part *part, const char *text)
{
    return part->length == strlen(text) && memcmp(part->at, text, part->length) == 0;
}

/* Does a tag of numba's follow? */
static bool is_numba(const char *at)
{
    struct part tag;
    const char *next = at + 1;
    return *at == 'B' && read_part(&next, &tag) && tag.length > 1 && tag.at[0] == 'v' &&
           isdigit((unsigned char)tag.at[1]);
}

/* Where the scopes and the name end that begin at `at`. */
static const char *skip_parts(const char *at)
{
    struct part part;
    while (read_part(&at, &part))
        ;
    return at;
}

static void put_text(struct output *output, const char *text, size_t length)
{
    memcpy(output->name + output->length, text, length);
    output->length += length;
}

/* `<word>` of _3cword_3e, as much as that is; 0: the text does not begin with it. */
static size_t put_bracketed(struct output *output, const char *text, size_t length)
{
    static const char begin[] = "_3c", end[] = "_3e";
    const size_t mark = sizeof begin - 1;
    const char *last = length > mark ? memmem(text + mark, length - mark, end, mark) : NULL;
    if (!last || memcmp(text, begin, mark) != 0)
        return 0;
    put_text(output, "<", 1);
    put_text(output, text + mark, (size_t)(last - text) - mark);
    put_text(output, ">", 1);
    return (size_t)(last - text) + mark;
}

static void put_python(struct output *output, const struct part *part)
{
    for (size_t at = 0, some; at < part->length; at += some) {
        some = put_bracketed(output, part->at + at, part->length - at);
        if (!some)
            put_text(output, part->at + at, some = 1);
    }
}

static char *decode_numba(const char *at)
{
    struct output output = {.length = 0};
    struct part part;
    const char *first = at;
    bool is_wrapper = read_part(&at, &part) && *at != 'B' &&
                      (is_part(&part, "cpython") || is_part(&part, "cfunc"));
    if (!is_wrapper)
        at = first;
    while (read_part(&at, &part)) {
        put_text(&output, ".", output.length != 0);
        put_python(&output, &part);
    }
    if (is_wrapper)
        put_text(&output, " (wrapper)", strlen(" (wrapper)"));
    return native_text(output.name, output.length);
}

static char *decode_plain(const char *at)
{
    struct output output = {.length = 0};
    struct part part;
    while (read_part(&at, &part)) {
        put_text(&output, "::", output.length ? 2 : 0);
        put_text(&output, part.at, part.length);
    }
    return native_text(output.name, output.length);
}

char *made_name(const char *symbol)
{
    size_t length = strlen(symbol), prefix = strlen(PREFIX);
    bool is_mangled = strncmp(symbol, PREFIX, prefix) == 0 && length <= LENGTH_MAX;
    const char *at = symbol + prefix;
    bool is_nested = is_mangled && *at == 'N';
    const char *end = is_mangled ? skip_parts(at + is_nested) : at;
    if (!is_mangled || end == at + is_nested)
        return native_text(symbol, length);
    if (is_numba(end))
        return decode_numba(at + is_nested);
    bool is_whole = is_nested ? *end == 'E' : islower((unsigned char)*end);
    return is_whole ? decode_plain(at + is_nested) : native_text(symbol, length);
}
