/*
 * heapline processes: which process started which, how each ended, and what it held.
 *
 * The text is a table with the tree of commands behind the numbers; what takes more than a word
 * stands on a line of its own below. The programs' formats are flat lists in the order of the text.
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
#include "viewer/base/terminal.h"
#include "viewer/base/utf8.h"
#include "viewer/commands/commands.h"
#include "viewer/format/csv.h"
#include "viewer/format/ending_text.h"
#include "viewer/format/json_values.h"
#include "viewer/format/process_json.h"
#include "viewer/format/table.h"
#include "viewer/history/moment.h"
#include "viewer/recording/command_line.h"
#include "viewer/recording/endings.h"
#include "viewer/recording/process_tree.h"

#define COMMAND_NAME "heapline processes"
/* Deeper ones are not indented further. */
#define INDENTED_MAX 24u
/* A command is not squeezed into less. */
#define TEXT_COLUMNS_LEAST 30u
#define NOTE_COLUMNS_LEAST 16u

enum {
    OPTION_SORT = 1,
    OPTION_LIMIT,
};

static const struct option_spec specs[] = {
    {0, "sort", "KEY",
     "the order of siblings: start (the default), peak, end,\nleaked or allocations", OPTION_SORT},
    {'n', "limit", "N", "so many processes, 0 for all (the default)", OPTION_LIMIT},
    FORM_SPEC_JSON("print JSON"),
    FORM_SPEC_CSV("print the processes as CSV"),
    FORM_SPEC_NO_COLOR,
    FORM_SPEC_HELP,
};
static const struct option_words word_lists[] = {{OPTION_SORT, process_sort_names, NULL}, {0}};

static void cleanup_json(json_t **value)
{
    json_decref(*value);
}

struct processes_request {
    enum process_sort sort;
    size_t limit; /* 0: none */
};

static bool take_sort(struct processes_request *request, const struct options *options)
{
    int choice = options_choice(process_sort_names, options->value);
    if (choice < 0) {
        options_wrong(options, "--sort is start, peak, end, leaked or allocations, not '%s'",
                      options->value);
        return false;
    }
    request->sort = (enum process_sort)choice;
    return true;
}

static bool take_option(struct request *request, int option, struct options *options)
{
    struct processes_request *own = request->own;
    return option == OPTION_SORT ? take_sort(own, options) : arguments_limit(options, &own->limit);
}

/* --- for programs --- */

static void print_json(const struct recording *recording, const struct process_tree *tree,
                       size_t shown)
{
    json_t *list = json_array();
    for (size_t i = 0; i < shown; i++) {
        json_t *object = process_to_json(recording, tree->nodes[i].process);
        json_put_count(object, "depth", tree->nodes[i].depth);
        json_array_append_new(list, object);
    }
    json_t *all =
        json_pack("{s:o,s:o,s:o,s:I}", "heapline", json_about(), "run", run_to_json(recording),
                  "processes", list, "rows_omitted", (json_int_t)(tree->count - shown));
    json_print_file(stdout, all);
}

static void print_csv_whole(int64_t number, int64_t absent)
{
    if (number != absent)
        printf("%" PRId64, number);
    putchar(',');
}

static void print_csv_seconds(double seconds)
{
    if (!isnan(seconds))
        printf("%.6f", seconds);
    putchar(',');
}

static void print_csv_ending(const struct ending *ending)
{
    printf("%s,", ending_names[ending->kind]);
    if (ending->is_told)
        printf("%d,%d,%" PRIu64 ",%" PRIu64 ",", ending->core_dumped, ending->out_of_memory,
               ending->refused, ending->most_refused);
    else
        fputs(",,,,", stdout);
}

static void print_csv_process(const struct process_node *node)
{
    const struct process *process = node->process;
    const struct sums *sums = &process->sums;
    CLEANUP(cleanup_free) char *command = name_of_command(process->command);
    printf("%" PRId64 ",", process->pid);
    print_csv_whole(process->parent, 0);
    printf("%zu,", node->depth);
    print_csv_whole(process->exit_status, -1);
    print_csv_whole(process->signal, 0);
    print_csv_ending(&process->ending);
    print_csv_seconds(process->started);
    print_csv_seconds(process->ended);
    printf("%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",",
           sums->peak_bytes, sums->end_bytes, sums->leaked_bytes, sums->allocations, process->frees,
           sums->allocated_bytes);
    csv_put(stdout, process->python);
    putchar(',');
    csv_put(stdout, command);
    putchar('\n');
}

static void print_csv(const struct process_tree *tree, size_t shown)
{
    puts("pid,parent,depth,exit_status,signal,ending,core_dumped,out_of_memory,failed_allocations,"
         "largest_failed_bytes,started,ended,peak_bytes,end_bytes,leaked_bytes,allocations,frees,"
         "allocated_bytes,python,command");
    for (size_t i = 0; i < shown; i++)
        print_csv_process(&tree->nodes[i]);
}

/* --- for people --- */

struct page {
    const struct recording *recording;
    const struct process_tree *tree;
    struct table table;
};

/* A time since the run's start, or a length; empty when it is not known. */
static struct size_text seconds_or_nothing(double seconds)
{
    const struct size_text nothing = {""};
    return isnan(seconds) ? nothing : seconds_format(seconds);
}

/* Its Python; columns are of plain characters. */
static struct size_text version_of(const struct process *process)
{
    struct size_text version;
    snprintf(version.text, sizeof version.text, "%s", process->python ? process->python : "");
    for (char *at = version.text; *at; at++)
        if (*at <= ' ' || *at > '~')
            *at = '?';
    return version;
}

static struct table_cells cells_of(const struct page *page, const struct process *process)
{
    const struct sums *sums = &process->sums;
    double ended = isnan(process->ended) ? run_length(page->recording) : process->ended;
    struct table_cells cells = {{count_format((uint64_t)process->pid), ending_word(process),
                                 seconds_or_nothing(process->started),
                                 seconds_or_nothing(fmax(ended - process->started, 0)),
                                 size_format(sums->peak_bytes), size_format(sums->end_bytes),
                                 size_format(sums->leaked_bytes), count_format(sums->allocations)}};
    cells.cells[8] = version_of(process);
    return cells;
}

/* What stands before a node's text, or with `mark` null before a further line of it. */
static char *prefix_of(const struct page *page, const struct process_node *node, const char *mark)
{
    CLEANUP(cleanup_free) const char **parts = memory_new(INDENTED_MAX + 1, sizeof *parts);
    size_t count = 0;
    if (!mark && node->has_children)
        parts[count++] = "│ ";
    for (const struct process_node *at = node; at->depth && count < INDENTED_MAX;
         at = &page->tree->nodes[at->parent])
        parts[count++] = at != node || !mark ? (at->is_last ? "  " : "│ ") : mark;
    char *prefix = memory_new(count + 1, sizeof "│ "), *out = prefix;
    while (count > 0)
        out = stpcpy(out, parts[--count]);
    return prefix;
}

/* Prints further lines of a node's text, which is of plain words. */
static void print_more(const struct page *page, const struct process_node *node, const char *text)
{
    CLEANUP(cleanup_free) char *prefix = prefix_of(page, node, NULL);
    size_t taken = utf8_width(prefix), room = page->table.text_width;
    room = room > taken + NOTE_COLUMNS_LEAST ? room - taken : NOTE_COLUMNS_LEAST;
    while (*text) {
        size_t length = strlen(text), next = length;
        if (length > room) {
            const char *blank = memrchr(text, ' ', room + 1);
            next = length = blank ? (size_t)(blank - text) : room;
        }
        CLEANUP(cleanup_free) char *line = memory_print("%s%.*s", prefix, (int)length, text);
        table_print_more(&page->table, page->table.colours.warning, line);
        text += next;
        text += *text == ' ';
    }
}

/* Does the one word say it all? */
static bool is_said(const struct ending *ending)
{
    return ending->kind == ENDING_EXITED || ending->kind == ENDING_UNKNOWN ||
           (ending->kind == ENDING_KILLED && !ending->core_dumped && !ending->out_of_memory);
}

static void print_notes(const struct page *page, const struct process_node *node)
{
    const struct process *process = node->process;
    if (!is_said(&process->ending)) {
        CLEANUP(cleanup_free) char *ending = ending_text(page->recording, process);
        print_more(page, node, ending);
    }
    CLEANUP(cleanup_free) char *refusals = refusals_text(page->recording, process);
    if (refusals)
        print_more(page, node, refusals);
}

/* The command line, without the folder that its program lies in. */
static char *short_command(const json_t *command)
{
    CLEANUP(cleanup_json) json_t *words = json_copy((json_t *)(uintptr_t)command);
    const char *program = json_string_value(json_array_get(words, 0));
    const char *slash = program ? strrchr(program, '/') : NULL;
    if (slash && slash[1])
        json_array_set_new(words, 0, json_string(slash + 1));
    return name_of_command(words);
}

static void print_node(const struct page *page, const struct process_node *node)
{
    CLEANUP(cleanup_free) char *command = short_command(node->process->command);
    CLEANUP(cleanup_free) char *prefix = prefix_of(page, node, node->is_last ? "└ " : "├ ");
    CLEANUP(cleanup_free) char *text = memory_print("%s%s", prefix, command);
    struct table_cells cells = cells_of(page, node->process);
    table_print_row(&page->table, &cells, text);
    print_notes(page, node);
}

static void print_heading(const struct page *page)
{
    const struct colours *colours = &page->table.colours;
    CLEANUP(cleanup_free) char *command = name_of_command(page->recording->run.command);
    fputs(colours->strong, stdout);
    print_cut(stdout, page->table.width, command);
    fputs(colours->plain, stdout);
    if (isnan(page->recording->run.seconds)) {
        fputs(colours->warning, stdout);
        print_wrapped(stdout, page->table.width, 2,
                      "! Still being recorded or cut short: this is what was known when it was "
                      "last written.");
        fputs(colours->plain, stdout);
    }
    if (!page->tree->count)
        puts("No Python process was recorded.");
}

static void print_text(const struct recording *recording, const struct process_tree *tree,
                       size_t shown, bool no_color)
{
    struct page page = {
        .recording = recording,
        .tree = tree,
        .table = {.stream = stdout,
                  .width = terminal_columns(STDOUT_FILENO),
                  .colours = colours_for(STDOUT_FILENO, no_color),
                  .columns = {{"pid", false, 0},
                              {"exit", false, 0},
                              {"start", true, 0},
                              {"duration", true, 0},
                              {"peak", false, 0},
                              {"end", true, 0},
                              {"leaked", true, 0},
                              {"allocations", true, 0},
                              {"Python", true, 0}},
                  .column_count = 9,
                  .text_least = TEXT_COLUMNS_LEAST},
    };
    print_heading(&page);
    if (!shown)
        return;
    for (size_t i = 0; i < shown; i++) {
        struct table_cells cells = cells_of(&page, tree->nodes[i].process);
        table_fit(&page.table, &cells);
    }
    table_arrange(&page.table);
    table_print_titles(&page.table, "command");
    for (size_t i = 0; i < shown; i++)
        print_node(&page, &tree->nodes[i]);
    if (shown < tree->count)
        printf("… %zu more (-n 0 shows all)\n", tree->count - shown);
}

/* --- the command --- */

static int processes_show(struct request *request, struct recording *recording)
{
    const struct processes_request *own = request->own;
    CLEANUP(process_tree_deinit) struct process_tree tree;
    process_tree_init(&tree, recording, own->sort);
    size_t shown = own->limit && own->limit < tree.count ? own->limit : tree.count;
    if (request->form.json)
        print_json(recording, &tree, shown);
    else if (request->form.csv)
        print_csv(&tree, shown);
    else
        print_text(recording, &tree, shown, request->form.no_color);
    return request_finish(request);
}

const struct subcommand command_processes = {
    .name = COMMAND_NAME,
    .summary = "which process started which, how each ended",
    .usage =
        "Usage: heapline processes [OPTION...] [RUN]\n\n"
        "Prints the Python processes of a recorded command as a tree: how each one ended, how\n"
        "long it ran, and how much memory it held at its peak, at its end and at its exit.\n",
    .options = OPTION_TABLE(specs, word_lists),
    .files_most = 1,
    .own_size = sizeof(struct processes_request),
    .take = take_option,
    .check = request_check_form,
    .show = processes_show,
};
