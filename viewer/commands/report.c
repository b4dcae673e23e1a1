/*
 * heapline report: asks a recording one question and prints the answer.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "viewer/base/cleanup.h"
#include "viewer/base/printable.h"
#include "viewer/base/terminal.h"
#include "viewer/cli/query_options.h"
#include "viewer/commands/commands.h"
#include "viewer/format/growth.h"
#include "viewer/format/lives.h"
#include "viewer/format/report.h"
#include "viewer/question/answer.h"

#define COMMAND_NAME "heapline report"

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

struct report_request {
    bool tracemalloc, growing, lifetimes;
};

static bool take_option(struct request *request, int option, struct options *options)
{
    struct report_request *own = request->own;
    switch (option) {
    case OPTION_GROWING:
        return own->growing = true;
    case OPTION_LIFETIMES:
        return own->lifetimes = true;
    default:
        own->tracemalloc = !strcmp(options->value, "tracemalloc");
        if (!own->tracemalloc)
            options_wrong(options, "there is no format '%s', only tracemalloc", options->value);
        return own->tracemalloc;
    }
}

static bool check_request(struct request *request, const struct options *options)
{
    const struct report_request *own = request->own;
    if (request->form.json + request->form.csv + own->tracemalloc > 1) {
        options_wrong(options, "only one of --json, --csv and --format");
        return false;
    }
    const struct query *query = &request->query;
    bool is_statistic =
        query->by == GROUP_BY_LINE || query->by == GROUP_BY_FILE || query->by == GROUP_BY_STACK;
    if (own->tracemalloc &&
        (!is_statistic || query->cumulative || query->between || query->temporary)) {
        options_wrong(options, "--format tracemalloc is by line, file or stack, at a moment");
        return false;
    }
    if ((own->growing || own->lifetimes) &&
        ((query->between && own->lifetimes) || query->at.text || query->temporary ||
         query->cumulative || own->tracemalloc || own->growing == own->lifetimes)) {
        options_wrong(options,
                      "--%s looks at the whole run%s, innermost frames, and prints a "
                      "text, --json or --csv",
                      own->growing ? "growing" : "lifetimes", own->growing ? " or --between" : "");
        return false;
    }
    if (own->lifetimes && !request_has(request, QUERY_OPTION_SORT))
        request->query.sort = SORT_ALLOCATIONS;
    if (request->form.csv || own->tracemalloc)
        printable_stdout();
    return query_options_check(query, options);
}

static void print_answer(const struct request *request, struct recording *recording,
                         const struct answer *answer)
{
    const struct report_request *own = request->own;
    if (request->form.json)
        report_print_json(stdout, answer);
    else if (request->form.csv)
        report_print_csv(stdout, answer);
    else if (own->tracemalloc)
        report_print_tracemalloc(stdout, answer, request->query.limit);
    else
        report_print_text(stdout, recording, answer, terminal_columns(STDOUT_FILENO),
                          colours_for(STDOUT_FILENO, request->form.no_color));
}

static int report_growing(const struct request *request, struct recording *recording)
{
    CLEANUP(growth_deinit) struct growth growth;
    size_t limit = request->query.limit;
    if (!growth_init(&growth, recording, &request->query))
        return request_fail_reading(request, recording);
    if (request->form.json)
        growth_print_json(stdout, &growth, limit);
    else if (request->form.csv)
        growth_print_csv(stdout, &growth, limit);
    else
        growth_print_text(stdout, recording, &growth, limit, terminal_columns(STDOUT_FILENO),
                          colours_for(STDOUT_FILENO, request->form.no_color));
    return request_finish(request);
}

static int report_lives(const struct request *request, struct recording *recording)
{
    CLEANUP(lives_deinit) struct lives lives;
    if (!lives_init(&lives, recording, &request->query))
        return request_fail_reading(request, recording);
    if (request->form.json)
        lives_print_json(stdout, &lives);
    else if (request->form.csv)
        lives_print_csv(stdout, &lives);
    else
        lives_print_text(stdout, recording, &lives, terminal_columns(STDOUT_FILENO),
                         colours_for(STDOUT_FILENO, request->form.no_color));
    return request_finish(request);
}

static int report_show(struct request *request, struct recording *recording)
{
    const struct report_request *own = request->own;
    if (own->growing)
        return report_growing(request, recording);
    if (own->lifetimes)
        return report_lives(request, recording);
    struct query query = request->query;
    if (own->tracemalloc) /* it merges and sorts all rows itself */
        query.limit = 0;
    CLEANUP(answer_deinit) struct answer answer;
    if (!answer_init(&answer, recording, &query))
        return request_fail_reading(request, recording);
    if (query.pid_count && !answer.process_count)
        return request_fail(request,
                            "the recording has no process of that number; see --by process");
    print_answer(request, recording, &answer);
    return request_finish(request);
}

const struct subcommand command_report = {
    .name = COMMAND_NAME,
    .summary = "how much memory, when, and which lines",
    .usage = "Usage: heapline report [OPTION...] [RUN]\n\n"
             "Prints how much memory a recorded program held, when, and which lines held it.\n"
             "RUN is the file that heapline run wrote; without it the newest *.heapline here.\n"
             "GLOB is matched against a file's whole path and against its end (*/GLOB).\n",
    .options = OPTION_TABLE(specs, NULL),
    .files_most = 1,
    .own_size = sizeof(struct report_request),
    .take = take_option,
    .check = check_request,
    .show = report_show,
};
