/*
 * Source files are stored as they were when the program ran, each as one zstd frame. They are
 * unpacked when the first line of one is asked for, and kept.
 */
#include "viewer/recording/source.h"

#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#include "viewer/base/cleanup.h"
#include "viewer/base/memory.h"
#include "viewer/base/utf8.h"

#define SOURCE_BYTES_MAX (64 << 20)
#define TAB_COLUMNS      8u

void sources_init(struct sources *sources, struct recording *recording)
{
    sources->recording = recording;
    sources->files = memory_new(recording->symbols.file_count, sizeof *sources->files);
}

void sources_deinit(struct sources *sources)
{
    for (size_t i = 0; i < sources->recording->symbols.file_count; i++)
        free(sources->files[i].text);
    free(sources->files);
}

static void source_unpack(struct source_text *source, size_t size, const void *data,
                          size_t data_size)
{
    char *text = memory_new(size, 1);
    size_t unpacked = ZSTD_decompress(text, size, data, data_size);
    if (ZSTD_isError(unpacked) || unpacked != size) {
        free(text);
        return;
    }
    source->text = text;
    source->size = size;
}

static void source_load(struct sources *sources, uint32_t file)
{
    struct source_text *source = &sources->files[file];
    source->asked = true;
    CLEANUP(rows_deinit) struct rows rows;
    if (!rows_init(&rows, &sources->recording->database,
                   "SELECT bytes, text FROM source WHERE file = ?1"))
        return;
    sqlite3_bind_int64(rows.statement, 1, file);
    int64_t size;
    const void *data;
    size_t data_size;
    if (rows_next(&rows) == ROWS_ROW && rows_whole(&rows, 0, 1, SOURCE_BYTES_MAX, &size) &&
        rows_blob(&rows, 1, &data, &data_size))
        source_unpack(source, (size_t)size, data, data_size);
}

/* Python ends lines at \n, \r\n and \r. */
static const char *line_end(const char *text, const char *end)
{
    while (text < end && *text != '\n' && *text != '\r')
        text++;
    return text;
}

/* What comes after a line's end. */
static const char *line_next(const char *text, const char *end)
{
    if (text < end)
        text += text + 1 < end && text[0] == '\r' && text[1] == '\n' ? 2 : 1;
    return text;
}

/* The start of a line, NULL when there are fewer. */
static const char *source_find(const char *text, const char *end, int32_t line)
{
    for (; line > 1 && text < end; line--)
        text = line_next(line_end(text, end), end);
    return text < end && line == 1 ? text : NULL;
}

/* The text of a file; null when the recording does not carry it. */
static const struct source_text *source_of(struct sources *sources, uint32_t file)
{
    struct source_text *source = &sources->files[file];
    if (!source->asked)
        source_load(sources, file);
    return source->text ? source : NULL;
}

/* Where a line's text ends, without white space there. */
static const char *line_stop(const char *start, const char *end)
{
    const char *stop = line_end(start, end);
    while (stop > start && (stop[-1] == ' ' || stop[-1] == '\t'))
        stop--;
    return stop;
}

char *sources_line(struct sources *sources, uint32_t file, int32_t line)
{
    const struct source_text *source = source_of(sources, file);
    const char *end = source ? source->text + source->size : NULL;
    const char *start = end ? source_find(source->text, end, line) : NULL;
    if (!start)
        return NULL;
    while (start < end && (*start == ' ' || *start == '\t' || *start == '\f'))
        start++;
    return utf8_clean(start, (size_t)(line_stop(start, end) - start));
}

char *sources_indented_line(struct sources *sources, uint32_t file, int32_t line)
{
    const struct source_text *source = source_of(sources, file);
    const char *end = source ? source->text + source->size : NULL;
    const char *start = end ? source_find(source->text, end, line) : NULL;
    if (!start)
        return NULL;
    char *text;
    size_t size, column = 0;
    FILE *stream = memory_stream(&text, &size);
    for (const char *stop = line_stop(start, end); start < stop; start++)
        if (*start == '\t')
            do
                fputc(' ', stream);
            while (++column % TAB_COLUMNS);
        else if (*start != '\f') {
            fputc(*start, stream);
            column++;
        }
    fclose(stream);
    char *clean = utf8_clean(text, size);
    free(text);
    return clean;
}

int32_t sources_line_count(struct sources *sources, uint32_t file)
{
    const struct source_text *source = source_of(sources, file);
    int32_t count = 0;
    if (!source)
        return 0;
    const char *end = source->text + source->size;
    for (const char *at = source->text; at < end && count < INT32_MAX; count++)
        at = line_next(line_end(at, end), end);
    return count;
}

void sources_lines(struct sources *sources, uint32_t file, const char **starts, const char **ends)
{
    const struct source_text *source = source_of(sources, file);
    if (!source)
        return;
    const char *end = source->text + source->size;
    for (const char *at = source->text; at < end; starts++, ends++) {
        *starts = at;
        at = line_end(at, end);
        *ends = at;
        at = line_next(at, end);
    }
}

bool sources_differ_from_disk(struct sources *sources, uint32_t file, const char *path)
{
    const struct source_text *source = source_of(sources, file);
    if (!source)
        return false;
    FILE *stream = fopen(path, "re");
    if (!stream)
        return false;
    CLEANUP(cleanup_free) char *text = memory_new(source->size + 1, 1);
    size_t size = fread(text, 1, source->size + 1, stream);
    bool readable = !ferror(stream);
    fclose(stream);
    return readable && (size != source->size || memcmp(text, source->text, size) != 0);
}
