/*
 * heapline report: asks a recording one question and prints the answer.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "viewer/base/cleanup.h"
#include "viewer/base/options.h"
#include "viewer/base/printable.h"
#include "viewer/base/terminal.h"
#include "viewer/cli/arguments.h"
#include "viewer/cli/command.h"
#include "viewer/cli/query_options.h"
#include "viewer/format/growth.h"
#include "viewer/format/lives.h"
#include "viewer/format/report.h"
#include "viewer/question/query.h"
#include "viewer/recording/loading.h"

#define COMMAND "heapline report"

enum {
    OPTION_FORMAT = 1,
    OPTION_GROWING,
    OPTION_LIFETIMES,
};

static const struct option_spec specs[] = {
    QUERY_SPEC_AT,
    QUERY_SPEC_BETWEEN,
    QUERY_SPEC_TEMPORARY,
    QUERY_SPECS_BY,
    {0, "cumulative", NULL,
     "by line, file, function or module: count the stacks in\n"
     "which it stands at any level, not only innermost",
     QUERY_OPTION_CUMULATIVE},
    {0, "growing", NULL,
     "what rises steadily, in a process or in all: suspects\n"
     "of a leak, the steepest first",
     OPTION_GROWING},
    {0, "lifetimes", NULL,
     "how long blocks live, how many a second are allocated,\n"
     "what is kept",
     OPTION_LIFETIMES},
    QUERY_SPECS_FILTERS,
    {0, "sort", "KEY",
     "bytes (the default), blocks, allocated, allocations\n"
     "or name",
     QUERY_OPTION_SORT},
    QUERY_SPEC_LIMIT,
    FORM_SPEC_JSON("print JSON"),
    FORM_SPEC_CSV("print the rows as CSV"),
    {0, "format", "tracemalloc",
     "print the lines that tracemalloc's statistics print; by\n"
     "line, file or stack",
     OPTION_FORMAT},
    FORM_SPEC_NO_COLOR,
    FORM_SPEC_HELP,
};
#define SPEC_COUNT (sizeof specs / sizeof *specs)
const struct option_table report_options = {specs, SPEC_COUNT, NULL};

struct report_request {
    struct query query;
    const char *file; /* NULL: the newest */
    struct form form;
    bool tracemalloc, growing, lifetimes, sorted;
};

static int print_help(void)
{
    fputs("Usage: heapline report [OPTION...] [RUN]\n\n"
          "Prints how much memory a recorded program held, when, and which lines held it.\n"
          "RUN is the file that heapline run wrote; without it the newest *.heapline here.\n"
          "GLOB is matched against a file's whole path and against its end (*/GLOB).\n",
          stdout);
    options_help(stdout, specs, SPEC_COUNT);
    return arguments_finish(COMMAND);
}

static bool take_option(void *context, int option, struct options *options)
{
    struct report_request *request = context;
    switch (option) {
    case OPTIONS_OPERAND:
        return arguments_operand(options, &request->file);
    case OPTION_FORMAT:
        request->tracemalloc = !strcmp(options->value, "tracemalloc");
        if (!request->tracemalloc)
            options_wrong(options, "there is no format '%s', only tracemalloc", options->value);
        return request->tracemalloc;
    case OPTION_GROWING:
        return request->growing = true;
    case OPTION_LIFETIMES:
        return request->lifetimes = true;
    case QUERY_OPTION_SORT:
        request->sorted = true;
        return query_option_take(&request->query, option, options);
    default:
        return form_option_take(&request->form, option) ||
               query_option_take(&request->query, option, options);
    }
}

static bool read_request(struct report_request *request, char **arguments)
{
    struct options options = {
        .command = COMMAND,
        .specs = specs,
        .spec_count = SPEC_COUNT,
        .arguments = arguments,
    };
    if (!arguments_read(&options, take_option, request))
        return false;
    if (request->form.json + request->form.csv + request->tracemalloc > 1) {
        options_wrong(&options, "only one of --json, --csv and --format");
        return false;
    }
    const struct query *query = &request->query;
    bool is_statistic =
        query->by == GROUP_BY_LINE || query->by == GROUP_BY_FILE || query->by == GROUP_BY_STACK;
    if (request->tracemalloc &&
        (!is_statistic || query->cumulative || query->between || query->temporary)) {
        options_wrong(&options, "--format tracemalloc is by line, file or stack, at a moment");
        return false;
    }
    if ((request->growing || request->lifetimes) &&
        ((query->between && request->lifetimes) || query->at.text || query->temporary ||
         query->cumulative || request->tracemalloc || request->growing == request->lifetimes)) {
        options_wrong(&options,
                      "--%s looks at the whole run%s, innermost frames, and prints a "
                      "text, --json or --csv",
                      request->growing ? "growing" : "lifetimes",
                      request->growing ? " or --between" : "");
        return false;
    }
    if (request->lifetimes && !request->sorted)
        request->query.sort = SORT_ALLOCATIONS;
    if (request->form.csv || request->tracemalloc)
        printable_stdout();
    return query_options_check(query, &options);
}

static void print_answer(const struct report_request *request, struct recording *recording,
                         const struct answer *answer)
{
    if (request->form.json)
        report_print_json(stdout, answer);
    else if (request->form.csv)
        report_print_csv(stdout, answer);
    else if (request->tracemalloc)
        report_print_tracemalloc(stdout, answer, request->query.limit);
    else
        report_print_text(stdout, recording, answer, terminal_columns(STDOUT_FILENO),
                          colours_for(STDOUT_FILENO, request->form.no_color));
}

static int report_growing(const struct report_request *request, struct recording *recording)
{
    CLEANUP(growth_deinit) struct growth growth;
    size_t limit = request->query.limit;
    if (!growth_init(&growth, recording, &request->query))
        return arguments_fail(COMMAND, recording_problem(recording));
    if (request->form.json)
        growth_print_json(stdout, &growth, limit);
    else if (request->form.csv)
        growth_print_csv(stdout, &growth, limit);
    else
        growth_print_text(stdout, recording, &growth, limit, terminal_columns(STDOUT_FILENO),
                          colours_for(STDOUT_FILENO, request->form.no_color));
    return arguments_finish(COMMAND);
}

static int report_lives(const struct report_request *request, struct recording *recording)
{
    CLEANUP(lives_deinit) struct lives lives;
    if (!lives_init(&lives, recording, &request->query))
        return arguments_fail(COMMAND, recording_problem(recording));
    if (request->form.json)
        lives_print_json(stdout, &lives);
    else if (request->form.csv)
        lives_print_csv(stdout, &lives);
    else
        lives_print_text(stdout, recording, &lives, terminal_columns(STDOUT_FILENO),
                         colours_for(STDOUT_FILENO, request->form.no_color));
    return arguments_finish(COMMAND);
}

static int report_file(void *context, const char *file)
{
    const struct report_request *request = context;
    struct progress progress;
    progress_init(&progress, COMMAND);
    CLEANUP(recording_deinit) struct recording recording;
    if (!recording_init(&recording, file, &progress))
        return arguments_fail(COMMAND, recording_problem(&recording));
    if (request->growing)
        return report_growing(request, &recording);
    if (request->lifetimes)
        return report_lives(request, &recording);
    struct query query = request->query;
    if (request->tracemalloc) /* it merges and sorts all rows itself */
        query.limit = 0;
    CLEANUP(answer_deinit) struct answer answer;
    if (!answer_init(&answer, &recording, &query))
        return arguments_fail(COMMAND, recording_problem(&recording));
    if (request->query.pid_count && !answer.process_count)
        return arguments_fail(COMMAND,
                              "the recording has no process of that number; see --by process");
    print_answer(request, &recording, &answer);
    return arguments_finish(COMMAND);
}

int command_report(char **arguments)
{
    struct report_request request = {0};
    int status = STATUS_WRONG_USAGE;
    query_init(&request.query);
    if (read_request(&request, arguments))
        status = request.form.help ? print_help()
                                   : arguments_show(COMMAND, request.file, report_file, &request);
    query_deinit(&request.query);
    return status;
}
