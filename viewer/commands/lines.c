/*
 * heapline lines: the program's source, line by line, with what each line did.
 *
 * The files are those that are named, or the program's hottest. Of a long file only the lines that
 * matter are shown, with some around them.
 */
#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "viewer/base/cleanup.h"
#include "viewer/base/memory.h"
#include "viewer/base/order.h"
#include "viewer/base/say.h"
#include "viewer/base/terminal.h"
#include "viewer/base/utf8.h"
#include "viewer/cli/query_options.h"
#include "viewer/commands/commands.h"
#include "viewer/format/csv.h"
#include "viewer/format/json_values.h"
#include "viewer/format/table.h"
#include "viewer/question/sections.h"
#include "viewer/recording/source.h"

#define COMMAND_NAME "heapline lines"

/* Files that are shown when none is named. */
#define HOTTEST_FILES 3u
/* A line matters from this part on of the most that a line of its file holds, allocates or holds at
 * the end, or of what all of them hold themselves: beside a line that runs the whole program none
 * of the others might. */
#define MATTERS_SHARE 0.01
/* A file of so many lines fits on a screen or two, and is shown as it is. */
#define SHORT_FILE 60
/* Lines around one that matters. */
#define CONTEXT_LINES 2
/* For the source; numbers that leave less are left out. */
#define TEXT_COLUMNS 44u
/* From this part of what the file holds on a line is hot. */
#define HOT_SHARE 0.1

enum {
    OPTION_FULL = 1,
};

static const struct option_spec specs[] = {
    QUERY_SPEC_AT,
    QUERY_SPEC_BETWEEN,
    {0, "full", NULL, "every line of the files", OPTION_FULL},
    QUERY_SPECS_FILTERS,
    FORM_SPEC_JSON("print JSON"),
    FORM_SPEC_CSV("print the lines as CSV"),
    FORM_SPEC_NO_COLOR,
    FORM_SPEC_HELP,
};

struct lines_request {
    const char **names; /* FILE, or FILE:FUNCTION */
    size_t name_count;
    bool full;
};

static bool is_recording(const char *word)
{
    const char *ending = strrchr(word, '.');
    return ending && !strcmp(ending, ".heapline");
}

static bool take_option(struct request *request, int option, struct options *options)
{
    struct lines_request *own = request->own;
    if (option == OPTION_FULL)
        return own->full = true;
    if (!request->file_count && !own->name_count && is_recording(options->value)) {
        request->files[request->file_count++] = options->value;
        return true;
    }
    own->names = memory_room(own->names, own->name_count, sizeof *own->names);
    own->names[own->name_count++] = options->value;
    return true;
}

static bool check_request(struct request *request, const struct options *options)
{
    return form_check(&request->form, options) && query_options_check(&request->query, options);
}

/* --- lines of a section --- */

struct page {
    const struct request *request;
    const struct lines_request *own;
    struct recording *recording;
    const struct annotation *annotation;
    struct sources sources;
    struct table table;
};

struct extent {
    uint64_t held, allocated, at_end; /* the most of a line of the section */
    uint64_t own;                     /* held by all of its lines themselves */
    int32_t first, last;              /* lines */
};

static void take_most(uint64_t *most, uint64_t bytes)
{
    *most = bytes > *most ? bytes : *most;
}

static struct extent extent_of(struct page *page, const struct section *section)
{
    struct extent extent = {.first = section->first_line, .last = section->last_line};
    for (size_t key = section->first; key < section->end; key++) {
        const struct line_figures *line = &page->annotation->lines[key];
        int32_t number = annotation_frame(page->annotation, key)->line;
        if (!section_has(section, number))
            continue;
        extent.own += line->own.bytes;
        take_most(&extent.held, line->with_callees.bytes);
        take_most(&extent.at_end, line->at_end.bytes);
        take_most(&extent.allocated, line->with_callees.allocated_bytes);
        if (!section->first_line && number > extent.last)
            extent.last = number;
    }
    if (!section->first_line) {
        int32_t text = sources_line_count(&page->sources, section->frame->file_id);
        extent.first = 1;
        extent.last = text ? text : extent.last;
    }
    return extent;
}

/* Is it a part of all that is worth a look? */
static bool is_much(uint64_t bytes, uint64_t all)
{
    return bytes && (double)bytes >= (double)all * MATTERS_SHARE;
}

static bool line_matters(const struct line_figures *line, const struct extent *extent)
{
    return line &&
           (is_much(line->with_callees.bytes, extent->held) ||
            is_much(line->own.bytes, extent->own) || is_much(line->at_end.bytes, extent->at_end) ||
            is_much(line->with_callees.allocated_bytes, extent->allocated));
}

static bool is_shown(const struct page *page, const struct section *section,
                     const struct extent *extent, int32_t line)
{
    if (page->own->full || section->first_line || extent->last <= SHORT_FILE)
        return true;
    for (int32_t near = line - CONTEXT_LINES; near <= line + CONTEXT_LINES; near++)
        if (line_matters(section_figures(section, page->annotation, near), extent))
            return true;
    return false;
}

/* --- output --- */

static struct size_text size_or_nothing(uint64_t bytes)
{
    return bytes ? size_format(bytes) : (struct size_text){""};
}

static struct table_cells cells_of(int32_t number, const struct line_figures *line)
{
    struct table_cells cells = {{count_format((uint64_t)number)}};
    if (!line)
        return cells;
    cells.cells[1] = size_or_nothing(line->with_callees.bytes);
    cells.cells[2] = size_or_nothing(line->own.bytes);
    if (line->own.allocations)
        cells.cells[3] = count_format(line->own.allocations);
    cells.cells[4] = size_or_nothing(line->at_end.bytes);
    cells.cells[5] = size_or_nothing(line->with_callees.allocated_bytes);
    if (line->with_callees.blocks)
        cells.cells[6] = count_format(line->with_callees.blocks);
    if (line->own.allocated_bytes)
        cells.cells[7] = share_format(line->temporary.bytes, line->own.allocated_bytes);
    return cells;
}

static void set_up_table(struct page *page, const struct section *section,
                         const struct extent *extent)
{
    static const struct table_column columns[] = {
        {"Line #", false, 0},     {"Mem usage", false, 0}, {"Increment", false, 0},
        {"Occurrences", true, 0}, {"At end", true, 0},     {"Allocated", true, 0},
        {"Blocks", true, 0},      {"Temporary", true, 0},
    };
    struct table *table = &page->table;
    *table = (struct table){.stream = stdout,
                            .width = terminal_columns(STDOUT_FILENO),
                            .colours = colours_for(STDOUT_FILENO, page->request->form.no_color),
                            .text_least = TEXT_COLUMNS,
                            .column_count = sizeof columns / sizeof *columns};
    memcpy(table->columns, columns, sizeof columns);
    for (int32_t line = extent->first; line <= extent->last; line++) {
        struct table_cells cells = cells_of(line, section_figures(section, page->annotation, line));
        table_fit(table, &cells);
    }
    table_arrange(table);
}

static void print_line(struct page *page, const struct section *section,
                       const struct extent *extent, int32_t number)
{
    const struct line_figures *line = section_figures(section, page->annotation, number);
    struct table_cells cells = cells_of(number, line);
    CLEANUP(cleanup_free)
    char *text = sources_indented_line(&page->sources, section->frame->file_id, number);
    CLEANUP(cleanup_free) char *escaped = utf8_escape(text ? text : "");
    bool hot = line && line->with_callees.bytes && extent->held &&
               (double)line->with_callees.bytes >= (double)extent->held * HOT_SHARE;
    struct table table = page->table;
    table.colours.number = !line ? table.colours.faint
                           : hot ? table.colours.strong
                                 : table.colours.number;
    table_print_row(&table, &cells, escaped);
}

/* Does the file on disk say something else by now? */
static bool has_changed(struct page *page, const struct section *section)
{
    return sources_differ_from_disk(&page->sources, section->frame->file_id, section->frame->file);
}

static void print_section(struct page *page, const struct section *section)
{
    struct extent extent = extent_of(page, section);
    CLEANUP(cleanup_free) char *path = utf8_escape(section->frame->file);
    set_up_table(page, section, &extent);
    printf("Filename: %s%s\n", path,
           has_changed(page, section) ? " (as it was recorded; the file has changed since)" : "");
    table_print_titles(&page->table, "Line Contents");
    bool gap = false;
    for (int32_t line = extent.first; line <= extent.last; line++) {
        bool shown = is_shown(page, section, &extent, line);
        if (!shown && !gap)
            printf("%s   ...%s\n", page->table.colours.faint, page->table.colours.plain);
        gap = !shown;
        if (shown)
            print_line(page, section, &extent, line);
    }
}

/* What JSON and CSV say of a line. */
static const struct line_value {
    const char *name;
    size_t offset; /* in struct line_figures, a uint64_t */
} line_values[] = {
    {"bytes", offsetof(struct line_figures, with_callees.bytes)},
    {"blocks", offsetof(struct line_figures, with_callees.blocks)},
    {"own_bytes", offsetof(struct line_figures, own.bytes)},
    {"own_blocks", offsetof(struct line_figures, own.blocks)},
    {"end_bytes", offsetof(struct line_figures, at_end.bytes)},
    {"end_blocks", offsetof(struct line_figures, at_end.blocks)},
    {"allocated_bytes", offsetof(struct line_figures, with_callees.allocated_bytes)},
    {"allocations", offsetof(struct line_figures, with_callees.allocations)},
    {"own_allocated_bytes", offsetof(struct line_figures, own.allocated_bytes)},
    {"own_allocations", offsetof(struct line_figures, own.allocations)},
    {"temporary_bytes", offsetof(struct line_figures, temporary.bytes)},
};
#define LINE_VALUES (sizeof line_values / sizeof *line_values)

static uint64_t value_of(const struct line_figures *line, const struct line_value *value)
{
    return *(const uint64_t *)(const void *)((const char *)line + value->offset);
}

/* The number of a key's line; 0 when it is not part of the section. */
static int32_t line_in(const struct page *page, const struct section *section, size_t key)
{
    int32_t line = annotation_frame(page->annotation, key)->line;
    return section_has(section, line) ? line : 0;
}

static json_t *line_to_json(const struct page *page, size_t key)
{
    json_t *object = json_object();
    json_object_set_new(object, "line",
                        json_integer(annotation_frame(page->annotation, key)->line));
    for (size_t i = 0; i < LINE_VALUES; i++)
        json_put_count(object, line_values[i].name,
                       value_of(&page->annotation->lines[key], &line_values[i]));
    return object;
}

static json_t *section_to_json(struct page *page, const struct section *section)
{
    json_t *lines = json_array(), *object = json_object();
    for (size_t key = section->first; key < section->end; key++)
        if (line_in(page, section, key))
            json_array_append_new(lines, line_to_json(page, key));
    json_put_text(object, "file", section->frame->file);
    json_object_set_new(object, "changed", json_boolean(has_changed(page, section)));
    json_object_set_new(object, "lines", lines);
    return object;
}

static void print_json(struct page *page, const struct sections *sections)
{
    const struct query *query = &page->request->query;
    json_t *files = json_array();
    for (size_t i = 0; i < sections->count; i++)
        json_array_append_new(files, section_to_json(page, &sections->list[i]));
    json_t *all = json_object();
    json_object_set_new(all, "heapline", json_about());
    json_put_text(all, "at",
                  query->between ? NULL : moment_text(&page->annotation->answer.query.at));
    if (query->between) {
        json_put_text(all, "from", moment_text(&query->from));
        json_put_text(all, "to", moment_text(&query->to));
    }
    json_object_set_new(all, "files", files);
    json_print_file(stdout, all);
}

static void print_csv(const struct page *page, const struct sections *sections)
{
    fputs("file,line", stdout);
    for (size_t i = 0; i < LINE_VALUES; i++)
        printf(",%s", line_values[i].name);
    putchar('\n');
    for (size_t i = 0; i < sections->count; i++) {
        const struct section *section = &sections->list[i];
        for (size_t key = section->first; key < section->end; key++) {
            int32_t line = line_in(page, section, key);
            if (!line)
                continue;
            csv_put(stdout, section->frame->file);
            printf(",%" PRId32, line);
            for (size_t j = 0; j < LINE_VALUES; j++)
                printf(",%" PRIu64, value_of(&page->annotation->lines[key], &line_values[j]));
            putchar('\n');
        }
    }
}

/* --- the command --- */

/* False, with a message, when a file or function that was named is not there. */
static bool lines_choose(struct sections *sections, struct page *page)
{
    const struct lines_request *own = page->own;
    for (size_t i = 0; i < own->name_count; i++) {
        if (sections_add_named(sections, page->annotation, own->names[i]))
            continue;
        say(COMMAND_NAME,
            "no line of %s has allocated anything; see heapline report --by file -n 0",
            own->names[i]);
        return false;
    }
    if (!own->name_count)
        sections_add_hottest(sections, page->annotation, &page->sources, HOTTEST_FILES);
    return true;
}

static int page_print(struct page *page, const struct sections *sections)
{
    if (page->request->form.json)
        print_json(page, sections);
    else if (page->request->form.csv)
        print_csv(page, sections);
    else
        for (size_t i = 0; i < sections->count; i++) {
            if (i)
                putchar('\n');
            print_section(page, &sections->list[i]);
        }
    if (!sections->count)
        say(COMMAND_NAME, "no source line holds anything at that moment");
    return request_finish(page->request);
}

static int lines_show(struct request *request, struct recording *recording)
{
    CLEANUP(annotation_deinit) struct annotation annotation;
    if (!annotation_init(&annotation, recording, &request->query))
        return request_fail_reading(request, recording);
    struct sections sections = {0};
    struct page page = {
        .request = request,
        .own = request->own,
        .recording = recording,
        .annotation = &annotation,
    };
    sources_init(&page.sources, recording);
    int status = lines_choose(&sections, &page) ? page_print(&page, &sections) : STATUS_FAILED;
    sources_deinit(&page.sources);
    free(sections.list);
    return status;
}

static void lines_forget(struct request *request)
{
    free(((struct lines_request *)request->own)->names);
}

const struct subcommand command_lines = {
    .name = COMMAND_NAME,
    .summary = "the source, line by line, with what each line did",
    .usage =
        "Usage: heapline lines [OPTION...] [RUN] [FILE[:FUNCTION]...]\n\n"
        "Prints source files line by line. For each line: how much the blocks held that were\n"
        "allocated while it was executed, with callees (Mem usage) and by itself (Increment), how\n"
        "often it allocated (Occurrences), what was still held at the end, all that it ever\n"
        "allocated, how many blocks, and which part of its own allocations was temporary.\n"
        "Without FILE the program's hottest files, those of Python first. RUN ends in .heapline.\n",
    .options = OPTION_TABLE(specs, NULL),
    .operands = OPERANDS_RECORDING_AND_MORE,
    .own_size = sizeof(struct lines_request),
    .take = take_option,
    .check = check_request,
    .show = lines_show,
    .forget = lines_forget,
};
