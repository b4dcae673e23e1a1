/*
 * The beginning of every JSON output, and the parts of large ones.
 */
#include "viewer/format/json_values.h"

#include "store.h"
#include "viewer/base/utf8.h"

json_t *json_about(void)
{
    return json_pack("{s:i,s:s}", "format", STORE_FORMAT, "version", HEAPLINE_VERSION);
}

/* \u009b, or two of them. */
static void put_escape(FILE *stream, uint32_t character)
{
    if (character > 0xffff) {
        fprintf(stream, "\\u%04x", (unsigned)(0xd7c0 + (character >> 10)));
        character = 0xdc00 | (character & 0x3ff);
    }
    fprintf(stream, "\\u%04x", (unsigned)character);
}

/* Of what jansson leaves as it is, only strings have anything unruly in them, and a piece of one
 * ends with a character. */
static int put_piece(const char *piece, size_t size, void *context)
{
    FILE *stream = context;
    const char *done = piece, *end = piece + size;
    for (const char *at = piece; at < end;) {
        const char *start = at;
        uint32_t character = utf8_next(&at, end);
        if (*start == '\n' || !utf8_is_unruly(character))
            continue;
        fwrite(done, 1, (size_t)(start - done), stream);
        put_escape(stream, character);
        done = at;
    }
    fwrite(done, 1, (size_t)(end - done), stream);
    return 0; /* whether it has arrived is looked at when the stream is flushed */
}

void json_write(const json_t *value, FILE *stream, size_t flags)
{
    json_dump_callback(value, put_piece, stream, flags);
}

void json_print_file(FILE *stream, json_t *value)
{
    json_write(value, stream, JSON_INDENT(2) | JSON_REAL_PRECISION(JSON_SECONDS_DIGITS));
    fputc('\n', stream);
    json_decref(value);
}

void json_print(FILE *stream, json_t *value)
{
    json_write(value, stream,
               JSON_ENCODE_ANY | JSON_COMPACT | JSON_REAL_PRECISION(JSON_SECONDS_DIGITS));
    json_decref(value);
}
