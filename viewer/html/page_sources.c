/*
 * A file's lines are marked first: all of them, or some around those that count. Runs of marked
 * lines are what is written.
 */
#include "viewer/html/page_sources.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "viewer/base/cleanup.h"
#include "viewer/base/memory.h"
#include "viewer/base/order.h"
#include "viewer/base/utf8.h"
#include "viewer/recording/source.h"

/* A file up to this size is written as a whole, when it fits. */
#define WHOLE_BYTES_MAX (192u << 10)
/* So many lines around one that counts, else. */
#define LINES_AROUND 8
/* Longer lines are cut. */
#define LINE_BYTES_MAX 400u

/* A file of the page with the lines that count. */
struct wanted_file {
    uint32_t file; /* of the page */
    double weight;
    int32_t *lines;
    size_t count;
};

/* --- what matters --- */

static int compare_weights(const void *a, const void *b)
{
    const struct wanted_file *one = a, *other = b;
    return ORDER(other->weight, one->weight) ?: ORDER(one->file, other->file);
}

static double share_of(uint64_t part, uint64_t whole)
{
    return whole ? (double)part / (double)whole : 0;
}

/* How much each of the page's places matters: what it has of the peak and of all allocations. */
static double *weights_of_places(const struct page_rows *rows, const struct page_names *names)
{
    double *weights = memory_new(names->place_count, sizeof *weights);
    struct page_row whole = {0};
    for (uint32_t i = 0; i < rows->count; i++) {
        whole.peak.bytes += rows->list[i].peak.bytes;
        whole.end.bytes += rows->list[i].end.bytes;
        whole.allocated_bytes += rows->list[i].allocated_bytes;
    }
    for (uint32_t i = 0; i < rows->count; i++) {
        const struct page_row *row = &rows->list[i];
        uint32_t place = names->page_place[rows->tree.place[row->node]];
        weights[place] += share_of(row->peak.bytes, whole.peak.bytes) +
                          share_of(row->end.bytes, whole.end.bytes) +
                          share_of(row->allocated_bytes, whole.allocated_bytes);
    }
    return weights;
}

static struct wanted_file *find_wanted(const struct page_rows *rows, const struct page_names *names)
{
    struct wanted_file *files = memory_new(names->file_count, sizeof *files);
    CLEANUP(cleanup_free) double *weights = weights_of_places(rows, names);
    for (uint32_t i = 0; i < names->file_count; i++)
        files[i].file = i;
    for (uint32_t place = PLACE_FIRST; place < names->place_count; place++) {
        uint32_t location = rows->locations[names->places[place]];
        const struct frame *frame = &rows->recording->symbols.frames[location];
        struct wanted_file *file = &files[names->page_file[frame->file_id]];
        file->weight += weights[place];
        file->lines = memory_room(file->lines, file->count, sizeof *file->lines);
        file->lines[file->count++] = frame->line;
    }
    qsort(files, names->file_count, sizeof *files, compare_weights);
    return files;
}

/* --- what is written --- */

/* A file's text by lines. */
struct text {
    const char **starts, **ends;
    bool *is_marked;
    int32_t count;
};

static void text_deinit(struct text *text)
{
    free(text->starts);
    free(text->ends);
    free(text->is_marked);
}

static void text_init(struct text *text, struct sources *sources, uint32_t file)
{
    int32_t count = sources_line_count(sources, file);
    *text = (struct text){
        .starts = memory_new((size_t)count, sizeof *text->starts),
        .ends = memory_new((size_t)count, sizeof *text->ends),
        .is_marked = memory_new((size_t)count, sizeof *text->is_marked),
        .count = count,
    };
    sources_lines(sources, file, text->starts, text->ends);
}

static size_t text_mark(struct text *text, int32_t from, int32_t to)
{
    size_t bytes = 0;
    for (int32_t i = from < 0 ? 0 : from; i < to && i < text->count; i++) {
        bytes += text->is_marked[i] ? 0 : (size_t)(text->ends[i] - text->starts[i]) + 1;
        text->is_marked[i] = true;
    }
    return bytes;
}

/* Marks what is to be written; returns how much that is. */
static size_t lines_mark(struct text *text, const struct wanted_file *file, size_t most)
{
    size_t bytes = 0;
    for (int32_t i = 0; i < text->count; i++)
        bytes += (size_t)(text->ends[i] - text->starts[i]) + 1;
    if (bytes <= WHOLE_BYTES_MAX && bytes <= most)
        return text_mark(text, 0, text->count);
    bytes = 0;
    for (size_t i = 0; i < file->count && bytes < most; i++)
        bytes += text_mark(text, file->lines[i] - 1 - LINES_AROUND, file->lines[i] + LINES_AROUND);
    return bytes;
}

static void put_line(struct bytes *bytes, const char *start, const char *end)
{
    size_t size = (size_t)(end - start);
    CLEANUP(cleanup_free)
    char *line = utf8_clean(start, size < LINE_BYTES_MAX ? size : LINE_BYTES_MAX);
    bytes_put_text(bytes, line, strlen(line));
    if (size > LINE_BYTES_MAX)
        bytes_put_text(bytes, "…", strlen("…"));
}

/* The first marked line from `at` on. */
static int32_t next_marked(const struct text *text, int32_t at, bool marked)
{
    while (at < text->count && text->is_marked[at] != marked)
        at++;
    return at;
}

static void put_run(struct bytes *bytes, const struct text *text, int32_t from, int32_t to)
{
    CLEANUP(bytes_deinit) struct bytes lines = {0};
    for (int32_t i = from; i < to; i++) {
        put_line(&lines, text->starts[i], text->ends[i]);
        bytes_put_text(&lines, "\n", 1);
    }
    bytes_put(bytes, (uint64_t)from + 1);
    bytes_put(bytes, lines.size);
    bytes_put_text(bytes, (const char *)lines.data, lines.size);
}

static void put_file(struct bytes *bytes, uint32_t file, const struct text *text)
{
    uint64_t runs = 0;
    for (int32_t i = next_marked(text, 0, true); i < text->count; i = next_marked(text, i, true)) {
        i = next_marked(text, i, false);
        runs++;
    }
    bytes_put(bytes, (uint64_t)file + 1);
    bytes_put(bytes, (uint64_t)text->count);
    bytes_put(bytes, runs);
    for (int32_t i = next_marked(text, 0, true); i < text->count; i = next_marked(text, i, true)) {
        int32_t end = next_marked(text, i, false);
        put_run(bytes, text, i, end);
        i = end;
    }
}

void page_sources_put(const struct page_rows *rows, const struct page_names *names, size_t most,
                      struct bytes *bytes)
{
    CLEANUP(sources_deinit) struct sources sources;
    sources_init(&sources, rows->recording);
    struct wanted_file *files = find_wanted(rows, names);
    for (uint32_t i = 0; i < names->file_count; i++) {
        CLEANUP(text_deinit) struct text text;
        text_init(&text, &sources, names->files[files[i].file]);
        size_t size = most ? lines_mark(&text, &files[i], most) : 0;
        if (size)
            put_file(bytes, files[i].file, &text);
        most -= size < most ? size : most;
        free(files[i].lines);
    }
    bytes_put(bytes, 0);
    free(files);
}
