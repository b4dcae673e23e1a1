/*
 * Source files are stored as they were when the program ran, each as one zstd frame. They are
 * unpacked when the first line of one is asked for, and kept.
 */
#include "viewer/source.h"

#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#include "viewer/cleanup.h"
#include "viewer/format/utf8.h"
#include "viewer/memory.h"

#define SOURCE_BYTES_MAX (64 << 20)

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

/* The start of a line, NULL when there are fewer. Python ends lines at \n, \r\n and \r. */
static const char *source_find(const char *text, const char *end, int32_t line)
{
    for (; line > 1 && text < end; line--) {
        while (text < end && *text != '\n' && *text != '\r')
            text++;
        if (text < end)
            text += text + 1 < end && text[0] == '\r' && text[1] == '\n' ? 2 : 1;
    }
    return text < end && line == 1 ? text : NULL;
}

char *sources_line(struct sources *sources, uint32_t file, int32_t line)
{
    struct source_text *source = &sources->files[file];
    if (!source->asked)
        source_load(sources, file);
    const char *end = source->text ? source->text + source->size : NULL;
    const char *start = end ? source_find(source->text, end, line) : NULL;
    if (!start)
        return NULL;
    while (start < end && (*start == ' ' || *start == '\t' || *start == '\f'))
        start++;
    const char *stop = start;
    while (stop < end && *stop != '\n' && *stop != '\r')
        stop++;
    while (stop > start && (stop[-1] == ' ' || stop[-1] == '\t'))
        stop--;
    return utf8_clean(start, (size_t)(stop - start));
}
