/*
 * Packed: the number of calls, and for each its line, function and file, as varints and texts with
 * their lengths. Length 0 stands for what is not known.
 */
#include "collector/symbols/native_symbol.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "collector/base/text.h"
#include "varint.h"

struct native_symbol *native_symbol_new(unsigned count)
{
    unsigned calls = count ? count : 1;
    struct native_symbol *symbol = calloc(1, sizeof *symbol + calls * sizeof *symbol->calls);
    if (symbol)
        symbol->count = calls;
    return symbol;
}

struct native_symbol *native_symbol_free(struct native_symbol *symbol)
{
    for (uint32_t i = 0; symbol && i < symbol->count; i++) {
        free(symbol->calls[i].function);
        free(symbol->calls[i].file);
    }
    free(symbol);
    return NULL;
}

/* The end of the last whole character within the limit: one may be four bytes. */
static size_t cut_length(const char *text, size_t length)
{
    if (length <= NATIVE_TEXT_BYTES_MAX)
        return length;
    length = NATIVE_TEXT_BYTES_MAX;
    while (length > 0 && ((unsigned char)text[length] & 0xc0) == 0x80)
        length--;
    return length;
}

char *native_text(const char *bytes, size_t length)
{
    char *copy = bytes ? strndup(bytes, cut_length(bytes, length)) : NULL;
    char *text = copy ? text_from_bytes(copy) : NULL;
    free(copy);
    if (text)
        text[cut_length(text, strlen(text))] = 0;
    return text;
}

static uint8_t *pack_text(uint8_t *out, const char *text)
{
    size_t length = text ? strlen(text) : 0;
    out = varint_put(out, length);
    if (length)
        memcpy(out, text, length);
    return out + length;
}

uint8_t *native_symbol_pack(uint8_t *out, const struct native_symbol *symbol)
{
    out = varint_put(out, symbol->count);
    for (uint32_t i = 0; i < symbol->count; i++) {
        out = varint_put(out, symbol->calls[i].line);
        out = pack_text(out, symbol->calls[i].function);
        out = pack_text(out, symbol->calls[i].file);
    }
    return out;
}

static bool unpack_text(const uint8_t **in, const uint8_t *end, char **text)
{
    uint64_t length;
    *text = NULL;
    if (!varint_get(in, end, &length) || length > NATIVE_TEXT_BYTES_MAX ||
        length > (size_t)(end - *in))
        return false;
    if (length) {
        *text = native_text((const char *)*in, length);
        *in += length;
    }
    return length == 0 || *text;
}

static bool unpack_call(const uint8_t **in, const uint8_t *end, struct native_call *call)
{
    uint64_t line;
    if (!varint_get(in, end, &line) || line > INT32_MAX)
        return false;
    call->line = (uint32_t)line;
    return unpack_text(in, end, &call->function) && unpack_text(in, end, &call->file);
}

struct native_symbol *native_symbol_unpack(const uint8_t **in, const uint8_t *end)
{
    uint64_t count;
    if (!varint_get(in, end, &count) || count == 0 || count > NATIVE_CALLS_MAX)
        return NULL;
    struct native_symbol *symbol = native_symbol_new((unsigned)count);
    for (uint32_t i = 0; symbol && i < count; i++)
        if (!unpack_call(in, end, &symbol->calls[i]))
            return native_symbol_free(symbol);
    return symbol;
}
