/*
 * heapline resident: why a process is larger than its heap.
 *
 * A process was looked at when its program ended, near its peak, and when that was asked for
 * (run --resident). One of these looks is shown, of one process: its rows add up to what was
 * resident, but for what is not known.
 */
#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "viewer/base/cleanup.h"
#include "viewer/base/memory.h"
#include "viewer/base/order.h"
#include "viewer/base/terminal.h"
#include "viewer/base/utf8.h"
#include "viewer/cli/query_options.h"
#include "viewer/commands/commands.h"
#include "viewer/format/csv.h"
#include "viewer/format/json_values.h"
#include "viewer/format/names.h"
#include "viewer/format/process_json.h"
#include "viewer/format/resident_hints.h"
#include "viewer/format/resident_text.h"
#include "viewer/format/table.h"
#include "viewer/history/moment.h"
#include "viewer/question/pins.h"

#define COMMAND_NAME "heapline resident"
/* Below a row of files so many are named. */
#define NAMED_MAX 3u
/* What stands before such a name. */
#define COPIED_INDENT 14u
/* Of what is resident, in per cent: a smaller row is not worth a hint. */
#define HINT_SHARE 10u

enum {
    OPTION_PINS = 1,
};

static const struct option_spec specs[] = {
    {0, "at", "MOMENT",
     "end (the default): when the program's own code had\n"
     "ended; peak: near the peak; or a time, for the look that\n"
     "was nearest to it",
     QUERY_OPTION_AT},
    {0, "pid", "PID", "of this process (the largest)", QUERY_OPTION_PID},
    {0, "pins", NULL, "which lines keep pymalloc's arenas", OPTION_PINS},
    QUERY_SPEC_LIMIT,
    FORM_SPEC_JSON("print JSON"),
    FORM_SPEC_CSV("print the rows as CSV"),
    FORM_SPEC_NO_COLOR,
    FORM_SPEC_HELP,
};

struct resident_request {
    bool pins;
};

static bool take_option(struct request *request, int option, struct options *options)
{
    struct resident_request *own = request->own;
    (void)option, (void)options;
    return own->pins = true;
}

/* --- which look --------------------------------------------------------------------------------
 */

/* How well a look suits the moment, which where none is given is the end: less is better. */
static double distance(const struct query *query, double seconds, const struct survey *survey)
{
    static const int wanted_first[] = {
        [RESIDENT_AT_END] = 0, [RESIDENT_AT_PEAK] = 1, [RESIDENT_AT_ASKED] = 2};
    if (!query->at.text || query->at.kind == MOMENT_END)
        return wanted_first[survey->moment] + 1 / (2 + survey->time);
    if (query->at.kind == MOMENT_TIME)
        return fabs(survey->time - seconds);
    return -(double)survey->rss_bytes; /* near a peak */
}

/* NULL: there is none. */
static struct survey *choose(const struct query *query, const struct surveys *surveys,
                             double seconds)
{
    struct survey *best = NULL;
    for (size_t i = 0; i < surveys->count; i++) {
        struct survey *survey = &surveys->list[i];
        if (!query_wants_process(query, survey->process))
            continue;
        bool same = best && best->process == survey->process;
        double here = distance(query, seconds, survey);
        double there = best ? distance(query, seconds, best) : INFINITY;
        if (!best || (same ? here < there : survey->rss_bytes > best->rss_bytes))
            best = survey;
    }
    return best;
}

/* --- rows --------------------------------------------------------------------------------------
 */

static int compare_rows(const void *a, const void *b)
{
    const struct survey_row *left = a, *right = b;
    return ORDER(right->bytes, left->bytes) ?: ORDER((int)left->kind, (int)right->kind);
}

static uint64_t unknown_bytes(const struct survey *survey)
{
    uint64_t known = survey_known(survey);
    return survey->rss_bytes > known ? survey->rss_bytes - known : 0;
}

/* --- for programs ------------------------------------------------------------------------------
 */

static json_t *row_to_json(const struct survey_row *row)
{
    json_t *object = json_object();
    bool is_file = row->name && row->name[0] == '/';
    json_put_text(object, "kind", resident_keys[row->kind]);
    json_put_text(object, "file", is_file ? row->name : NULL);
    json_put_text(object, "heap", row->name && !is_file ? row->name : NULL);
    json_put_count(object, "resident_bytes", row->bytes);
    json_put_count(object, "shared_bytes", row->shared_bytes);
    json_put_count(object, "swapped_bytes", row->swapped_bytes);
    json_put_count(object, "blocks", row->blocks);
    return object;
}

static json_t *place_to_json(const struct recording *recording, uint32_t location)
{
    const struct frame *frame = &recording->symbols.frames[location];
    json_t *object = json_object();
    json_put_text(object, "file", frame->file);
    json_object_set_new(object, "line",
                        frame_has_line(frame) ? json_integer(frame->line) : json_null());
    json_put_text(object, "function", frame->function);
    return object;
}

static json_t *pin_to_json(const struct recording *recording, const struct pin *pin)
{
    json_t *object = place_to_json(recording, pin->location);
    json_put_count(object, "blocks", pin->blocks);
    json_put_count(object, "bytes", pin->bytes);
    json_put_count(object, "arenas", pin->arenas);
    json_put_count(object, "pinned_bytes", pin->pinned_bytes);
    json_put_count(object, "alone_bytes", pin->alone_bytes);
    return object;
}

static void put_pins(json_t *all, const struct recording *recording, const struct pins *pins,
                     size_t shown)
{
    json_t *list = json_array(), *steps = json_array();
    for (size_t i = 0; i < shown; i++)
        json_array_append_new(list, pin_to_json(recording, &pins->list[i]));
    for (size_t i = 0; i < pins->step_count; i++) {
        json_t *step = place_to_json(recording, pins->steps[i].location);
        json_put_count(step, "freed_bytes", pins->steps[i].freed_bytes);
        json_array_append_new(steps, step);
    }
    json_object_set_new(all, "pins", list);
    json_put_count(all, "pins_omitted", pins->count - shown);
    json_object_set_new(all, "set", steps);
    json_put_count(all, "arenas", pins->arenas);
    json_put_count(all, "arena_bytes", pins->arena_bytes);
    json_put_count(all, "pinned_arenas", pins->pinned);
    json_put_count(all, "pinned_arena_bytes", pins->pinned_bytes);
    json_put_count(all, "crowded_arena_bytes", pins->crowded_bytes);
}

/* -1 gives null. */
static void put_amount(json_t *object, const char *key, int64_t amount)
{
    json_object_set_new(object, key, amount < 0 ? json_null() : json_integer(amount));
}

static int64_t own_bytes(const struct survey *survey)
{
    int64_t rss = (int64_t)survey->rss_bytes;
    if (survey->shared_bytes < 0)
        return -1;
    return rss > survey->shared_bytes ? rss - survey->shared_bytes : 0;
}

static void put_sharing(json_t *all, const struct recording *recording, const struct survey *survey)
{
    json_t *copied = json_array();
    put_amount(all, "shared_bytes", survey->shared_bytes);
    put_amount(all, "own_bytes", own_bytes(survey));
    put_amount(all, "proportional_bytes", survey->proportional_bytes);
    for (size_t i = 0; i < survey->copied_count; i++) {
        json_t *one = place_to_json(recording, survey->copied[i].location);
        json_put_count(one, "blocks", survey->copied[i].blocks);
        json_put_count(one, "bytes", survey->copied[i].bytes);
        json_array_append_new(copied, one);
    }
    json_object_set_new(all, "copied", copied);
}

static json_t *view_to_json(const struct survey *survey)
{
    json_t *view = json_object();
    json_put_text(view, "at", resident_moment_keys[survey->moment]);
    json_put_seconds(view, "time", survey->time);
    json_put_text(view, "by", "kind");
    json_put_count(view, "pid", (uint64_t)survey->process->pid);
    return view;
}

static void put_rows(json_t *all, const struct survey *survey)
{
    json_t *rows = json_array();
    for (size_t i = 0; i < survey->row_count; i++)
        json_array_append_new(rows, row_to_json(&survey->rows[i]));
    json_object_set_new(all, "rows", rows);
    json_put_count(all, "rss_bytes", survey->rss_bytes);
    json_put_count(all, "unknown_bytes", unknown_bytes(survey));
    json_put_count(all, "swapped_bytes", survey_swapped(survey));
    json_put_count(all, "huge_bytes", survey->huge_bytes);
    json_put_count(all, "hugetlb_bytes", survey->hugetlb_bytes);
}

static json_t *surveys_to_json(const struct surveys *surveys)
{
    json_t *list = json_array();
    for (size_t i = 0; i < surveys->count; i++) {
        json_t *one = view_to_json(&surveys->list[i]);
        json_object_del(one, "by");
        json_put_count(one, "rss_bytes", surveys->list[i].rss_bytes);
        json_array_append_new(list, one);
    }
    return list;
}

static void print_json(const struct recording *recording, const struct surveys *surveys,
                       const struct survey *survey, const struct pins *pins, size_t shown)
{
    json_t *all = json_object(), *processes = json_array();
    json_object_set_new(all, "heapline", json_about());
    json_object_set_new(all, "run", run_to_json(recording));
    for (size_t i = 0; i < recording->process_count; i++)
        json_array_append_new(processes, process_to_json(recording, &recording->processes[i]));
    json_object_set_new(all, "processes", processes);
    json_object_set_new(all, "view", view_to_json(survey));
    put_rows(all, survey);
    put_sharing(all, recording, survey);
    if (pins)
        put_pins(all, recording, pins, shown);
    json_object_set_new(all, "looks", surveys_to_json(surveys));
    json_print_file(stdout, all);
}

static void print_rows_csv(const struct survey *survey)
{
    puts("kind,resident_bytes,shared_bytes,swapped_bytes,blocks,name");
    for (size_t i = 0; i < survey->row_count; i++) {
        const struct survey_row *row = &survey->rows[i];
        printf("%s,%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",", resident_keys[row->kind],
               row->bytes, row->shared_bytes, row->swapped_bytes, row->blocks);
        csv_put(stdout, row->name);
        putchar('\n');
    }
    printf("unknown,%" PRIu64 ",0,0,0,\n", unknown_bytes(survey));
}

static void print_pins_csv(const struct recording *recording, const struct pins *pins, size_t shown)
{
    puts("pinned_bytes,alone_bytes,arenas,blocks,bytes,line,file,function");
    for (size_t i = 0; i < shown; i++) {
        const struct pin *pin = &pins->list[i];
        const struct frame *frame = &recording->symbols.frames[pin->location];
        printf("%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",", pin->pinned_bytes,
               pin->alone_bytes, pin->arenas, pin->blocks, pin->bytes);
        if (frame_has_line(frame))
            printf("%d", (int)frame->line);
        putchar(',');
        csv_put(stdout, frame->file);
        putchar(',');
        csv_put(stdout, frame->function);
        putchar('\n');
    }
}

/* --- for people --------------------------------------------------------------------------------
 */

struct page {
    const struct recording *recording;
    const struct survey *survey;
    struct table table;
};

/* A row as people see it, which may be several of the recording's. */
struct shown_row {
    uint64_t bytes, shared, blocks;
    char *text;
    const char *names[NAMED_MAX]; /* of the largest that are in it */
    uint64_t named[NAMED_MAX];
    size_t name_count;
};

struct shown_rows {
    struct shown_row *list;
    size_t count;
};

static void shown_rows_deinit(struct shown_rows *rows)
{
    for (size_t i = 0; i < rows->count; i++)
        free(rows->list[i].text);
    free(rows->list);
}

/* Rows are in order of their bytes, the largest first. */
static void add_shown(struct shown_rows *rows, const struct survey_row *row)
{
    CLEANUP(cleanup_free) char *text = resident_row_text(row);
    size_t at = 0;
    while (at < rows->count && strcmp(rows->list[at].text, text) != 0)
        at++;
    if (at == rows->count) {
        rows->list = memory_room(rows->list, rows->count, sizeof *rows->list);
        rows->list[rows->count++] = (struct shown_row){.text = memory_copy(text)};
    }
    struct shown_row *shown = &rows->list[at];
    shown->bytes += row->bytes;
    shown->shared += row->shared_bytes;
    shown->blocks += row->kind <= RESIDENT_INHERITED ? row->blocks : 0;
    if (row->name && resident_is_summed(row->kind) && shown->name_count < NAMED_MAX) {
        shown->names[shown->name_count] = resident_short_name(row->name);
        shown->named[shown->name_count++] = row->bytes;
    }
}

static int compare_shown(const void *a, const void *b)
{
    const struct shown_row *left = a, *right = b;
    return ORDER(right->bytes, left->bytes) ?: strcmp(left->text, right->text);
}

static struct table_cells cells_of(const struct page *page, const struct shown_row *row)
{
    struct table_cells cells = {
        {size_format(row->bytes), share_format(row->bytes, page->survey->rss_bytes), {""}}};
    if (row->blocks)
        cells.cells[2] = count_format(row->blocks);
    if (page->survey->shared_bytes >= 0)
        cells.cells[3] = size_format(row->bytes - row->shared);
    return cells;
}

static void print_row(const struct page *page, const struct shown_row *row)
{
    struct table_cells cells = cells_of(page, row);
    table_print_row(&page->table, &cells, row->text);
    for (size_t i = 0; i < row->name_count && row->bytes; i++) {
        CLEANUP(cleanup_free) char *name = utf8_escape(row->names[i]);
        CLEANUP(cleanup_free)
        char *line = memory_print("  %s %s", size_format(row->named[i]).text, name);
        table_print_more(&page->table, page->table.colours.faint, line);
    }
}

static void print_sentence(const struct page *page, char *text)
{
    print_wrapped(stdout, page->table.width, 2, text);
    free(text);
}

/* What a process has of its parent's, and what of that it no longer shares. */
static void print_sharing(const struct page *page)
{
    const struct survey *survey = page->survey;
    char proportional[64] = "";
    if (survey->shared_bytes < 0)
        return;
    if (survey->proportional_bytes >= 0)
        snprintf(proportional, sizeof proportional, "; its part of all is %s (PSS)",
                 size_format((uint64_t)survey->proportional_bytes).text);
    print_sentence(page,
                   memory_print("%s of it are its own, %s it shares with other processes%s.",
                                size_format((uint64_t)own_bytes(survey)).text,
                                size_format((uint64_t)survey->shared_bytes).text, proportional));
}

static void print_heading(const struct page *page)
{
    const struct survey *survey = page->survey;
    const struct recording *recording = page->recording;
    size_t others = recording->process_count - 1;
    printf("%s", page->table.colours.strong);
    print_sentence(page, memory_print("%s resident in process %" PRId64 " %s, after %s",
                                      size_format(survey->rss_bytes).text, survey->process->pid,
                                      resident_moment_words[survey->moment],
                                      seconds_format(survey->time).text));
    printf("%s", page->table.colours.plain);
    if (others)
        print_sentence(page, memory_print("It is one of %zu processes; --pid chooses another.",
                                          recording->process_count));
    print_sharing(page);
}

static void print_notes(const struct page *page)
{
    const struct survey *survey = page->survey;
    uint64_t swapped = survey_swapped(survey);
    if (swapped)
        print_sentence(page, memory_print("%s more are swapped out.", size_format(swapped).text));
    if (survey->huge_bytes)
        print_sentence(page, memory_print("%s of it are in huge pages.",
                                          size_format(survey->huge_bytes).text));
    if (survey->hugetlb_bytes)
        print_sentence(page,
                       memory_print("%s more are reserved huge pages, which the kernel does not "
                                    "count as resident.",
                                    size_format(survey->hugetlb_bytes).text));
    for (size_t i = 0; i < survey->row_count; i++) {
        const struct survey_row *row = &survey->rows[i];
        const char *hint = resident_hint(row->kind, row->name);
        if (hint && row->bytes * 100 >= survey->rss_bytes * HINT_SHARE)
            print_sentence(page, memory_print("%s: %s", size_format(row->bytes).text, hint));
    }
}

static void print_copied(const struct page *page)
{
    const struct survey *survey = page->survey;
    uint64_t bytes = 0;
    for (size_t i = 0; i < survey->copied_count; i++)
        bytes += survey->copied[i].bytes;
    if (!bytes)
        return;
    print_sentence(page, memory_print("Of the blocks that it was forked with %s lie in pages that "
                                      "nobody shares any more, allocated by:",
                                      size_format(bytes).text));
    for (size_t i = 0; i < survey->copied_count && i < NAMED_MAX; i++) {
        const struct survey_copied *copied = &survey->copied[i];
        const struct frame *frame = &page->recording->symbols.frames[copied->location];
        CLEANUP(cleanup_free)
        char *name =
            name_of_frame(page->recording, frame, GROUP_BY_LINE, page->table.width - COPIED_INDENT);
        printf("  %10s  %s\n", size_format(copied->bytes).text, name);
    }
}

static void print_rows(struct page *page, size_t limit)
{
    CLEANUP(shown_rows_deinit) struct shown_rows rows = {0};
    for (size_t i = 0; i < page->survey->row_count; i++)
        add_shown(&rows, &page->survey->rows[i]);
    if (rows.count)
        qsort(rows.list, rows.count, sizeof *rows.list, compare_shown);
    size_t shown = limit && limit < rows.count ? limit : rows.count;
    struct shown_row rest = {.bytes = unknown_bytes(page->survey),
                             .text = memory_copy("not known")};
    for (size_t i = 0; i < shown; i++) {
        struct table_cells cells = cells_of(page, &rows.list[i]);
        table_fit(&page->table, &cells);
    }
    table_arrange(&page->table);
    table_print_titles(&page->table, "what");
    for (size_t i = 0; i < shown; i++)
        print_row(page, &rows.list[i]);
    print_row(page, &rest);
    free(rest.text);
    if (shown < rows.count)
        printf("… %zu more (-n 0 shows all)\n", rows.count - shown);
    print_copied(page);
    print_notes(page);
}

static void print_step(const struct page *page, const struct pins *pins, size_t lines)
{
    print_sentence(page,
                   memory_print("If the blocks of the first %zu of the lines that keep most "
                                "were freed, %s would go back; of all %zu, %s.",
                                lines, size_format(pins->steps[lines - 1].freed_bytes).text,
                                pins->step_count,
                                size_format(pins->steps[pins->step_count - 1].freed_bytes).text));
}

static void print_pins_summary(const struct page *page, const struct pins *pins)
{
    print_sentence(page,
                   memory_print("pymalloc has %" PRIu64 " arenas with %s; %" PRIu64
                                " of them, with %s, are kept by blocks that use less than half.",
                                pins->arenas, size_format(pins->arena_bytes).text, pins->pinned,
                                size_format(pins->pinned_bytes).text));
    if (pins->crowded)
        print_sentence(page, memory_print("%s of those have blocks of so many lines that no few "
                                          "keep them.",
                                          size_format(pins->crowded_bytes).text));
    if (pins->step_count)
        print_step(page, pins, pins->step_count < NAMED_MAX ? pins->step_count : NAMED_MAX);
}

static struct table_cells pin_cells(const struct pin *pin)
{
    return (struct table_cells){{size_format(pin->pinned_bytes), size_format(pin->alone_bytes),
                                 count_format(pin->arenas), count_format(pin->blocks),
                                 size_format(pin->bytes)}};
}

static void print_pins(struct page *page, const struct pins *pins, size_t shown)
{
    static const struct table_column columns[] = {{"keeps", false, 0},
                                                  {"alone", false, 0},
                                                  {"arenas", true, 0},
                                                  {"by blocks", false, 0},
                                                  {"of", false, 0}};
    memcpy(page->table.columns, columns, sizeof columns);
    page->table.column_count = sizeof columns / sizeof *columns;
    for (size_t i = 0; i < shown; i++) {
        struct table_cells cells = pin_cells(&pins->list[i]);
        table_fit(&page->table, &cells);
    }
    print_pins_summary(page, pins);
    if (!shown)
        return;
    table_arrange(&page->table);
    table_print_titles(&page->table, "line");
    for (size_t i = 0; i < shown; i++) {
        struct table_cells cells = pin_cells(&pins->list[i]);
        const struct frame *frame = &page->recording->symbols.frames[pins->list[i].location];
        CLEANUP(cleanup_free)
        char *name = name_of_frame(page->recording, frame, GROUP_BY_LINE, page->table.text_width);
        table_print_row(&page->table, &cells, name);
    }
    if (shown < pins->count)
        printf("… %zu more (-n 0 shows all)\n", pins->count - shown);
}

static struct page page_of(const struct recording *recording, const struct survey *survey,
                           bool no_color)
{
    return (struct page){
        .recording = recording,
        .survey = survey,
        .table = {.stream = stdout,
                  .width = terminal_columns(STDOUT_FILENO),
                  .colours = colours_for(STDOUT_FILENO, no_color),
                  .columns = {{"resident", false, 0},
                              {"share", false, 0},
                              {"blocks", true, 0},
                              {"its own", false, 0}},
                  .column_count = survey->shared_bytes >= 0 ? 4 : 3},
    };
}

/* --- the command -------------------------------------------------------------------------------
 */

static void show_pins(const struct request *request, const struct recording *recording,
                      const struct surveys *surveys, const struct survey *survey)
{
    CLEANUP(pins_deinit) struct pins pins;
    pins_init(&pins, survey);
    size_t limit = request->query.limit;
    size_t shown = limit && limit < pins.count ? limit : pins.count;
    if (request->form.json) {
        print_json(recording, surveys, survey, &pins, shown);
    } else if (request->form.csv) {
        print_pins_csv(recording, &pins, shown);
    } else {
        struct page page = page_of(recording, survey, request->form.no_color);
        print_heading(&page);
        print_pins(&page, &pins, shown);
    }
}

static void show_rows(const struct request *request, const struct recording *recording,
                      const struct surveys *surveys, const struct survey *survey)
{
    if (request->form.json) {
        print_json(recording, surveys, survey, NULL, 0);
    } else if (request->form.csv) {
        print_rows_csv(survey);
    } else {
        struct page page = page_of(recording, survey, request->form.no_color);
        print_heading(&page);
        print_rows(&page, request_has(request, QUERY_OPTION_LIMIT) ? request->query.limit : 0);
    }
}

static int resident_show(struct request *request, struct recording *recording)
{
    const struct resident_request *own = request->own;
    const struct query *query = &request->query;
    CLEANUP(surveys_deinit) struct surveys surveys;
    double seconds = 0;
    if (!surveys_init(&surveys, recording) ||
        (query->at.kind == MOMENT_TIME && !moment_seconds(&query->at, recording, &seconds)))
        return request_fail_reading(request, recording);
    struct survey *survey = choose(query, &surveys, seconds);
    if (!survey)
        return request_fail(request,
                            query->pid_count && surveys.count
                                ? "that process was not looked at; see 'heapline processes'"
                                : "nobody has looked at what was resident: the recording is "
                                  "older, or the processes were on another host, ended early, or "
                                  "did not let themselves be looked at");
    if (!survey_load(survey, recording))
        return request_fail_reading(request, recording);
    if (survey->row_count)
        qsort(survey->rows, survey->row_count, sizeof *survey->rows, compare_rows);
    if (own->pins)
        show_pins(request, recording, &surveys, survey);
    else
        show_rows(request, recording, &surveys, survey);
    return request_finish(request);
}

const struct subcommand command_resident = {
    .name = COMMAND_NAME,
    .summary = "why the process is larger than its heap",
    .usage =
        "Usage: heapline resident [OPTION...] [RUN]\n\n"
        "Prints what the resident memory (RSS) of a process was made of: the blocks that lived,\n"
        "what the allocators kept free, files, libraries, stacks and the rest, in rows that add\n"
        "up. 'heapline run --resident=every 5s' has more moments to look at.\n",
    .options = OPTION_TABLE(specs, query_option_words),
    .files_most = 1,
    .own_size = sizeof(struct resident_request),
    .take = take_option,
    .check = request_check_form,
    .show = resident_show,
};
