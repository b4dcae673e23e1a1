/*
 * heapline report: asks a recording one question and prints the answer.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "viewer/cleanup.h"
#include "viewer/commands/command.h"
#include "viewer/format/report.h"
#include "viewer/format/terminal.h"
#include "viewer/memory.h"
#include "viewer/newest.h"
#include "viewer/options.h"
#include "viewer/query.h"
#include "viewer/recording.h"

enum {
    OPTION_AT = 1,
    OPTION_BY,
    OPTION_CUMULATIVE,
    OPTION_INCLUDE,
    OPTION_EXCLUDE,
    OPTION_ALLOCATOR,
    OPTION_PID,
    OPTION_SORT,
    OPTION_LIMIT,
    OPTION_JSON,
    OPTION_CSV,
    OPTION_NO_COLOR,
    OPTION_HELP,
};

static const struct option_spec specs[] = {
    {0, "at", "MOMENT",
     "peak (the default); end: when the program's own code\n"
     "had ended; exit: when the process had, what has leaked",
     OPTION_AT},
    {0, "by", "WHAT",
     "line (the default), file, function, stack, thread,\n"
     "allocator, size or process",
     OPTION_BY},
    {0, "cumulative", NULL,
     "by line, file or function: count the stacks in which it\n"
     "stands at any level, not only innermost",
     OPTION_CUMULATIVE},
    {0, "include", "GLOB", "only what files that match allocated (repeatable)", OPTION_INCLUDE},
    {0, "exclude", "GLOB", "not what files that match allocated (repeatable)", OPTION_EXCLUDE},
    {0, "allocator", "NAME", "only of object, mem, raw or malloc (repeatable)", OPTION_ALLOCATOR},
    {0, "pid", "PID", "only of this process (repeatable)", OPTION_PID},
    {0, "sort", "KEY",
     "bytes (the default), blocks, allocated, allocations\n"
     "or name",
     OPTION_SORT},
    {'n', "limit", "N", "so many rows, 0 for all (10)", OPTION_LIMIT},
    {0, "json", NULL, "print JSON", OPTION_JSON},
    {0, "csv", NULL, "print the rows as CSV", OPTION_CSV},
    {0, "no-color", NULL, "no colour on a terminal either", OPTION_NO_COLOR},
    {'h', "help", NULL, "print this", OPTION_HELP},
};
#define SPEC_COUNT (sizeof specs / sizeof *specs)

struct report_request {
    struct query query;
    const char *file; /* NULL: the newest */
    bool json, csv, no_color, help;
};

static void print_help(void)
{
    fputs("Usage: heapline report [OPTION...] [RUN]\n\n"
          "Prints how much memory a recorded program held, when, and which lines held it.\n"
          "RUN is the file that heapline run wrote; without it the newest *.heapline here.\n"
          "GLOB is matched against a file's whole path and against its end (*/GLOB).\n",
          stdout);
    options_help(stdout, specs, SPEC_COUNT);
}

static bool take_choice(const struct options *options, const char *name, const char *const *choices,
                        int *choice)
{
    *choice = options_choice(choices, options->value);
    if (*choice >= 0)
        return true;
    options_wrong(options, "--%s '%s' is not one of its values", name, options->value);
    return false;
}

static bool take_number(const struct options *options, const char *name, int64_t least,
                        int64_t *number)
{
    if (options_number(options->value, least, INT32_MAX, number))
        return true;
    options_wrong(options, "--%s needs a number, not '%s'", name, options->value);
    return false;
}

static void take_glob(struct globs *globs, const char *pattern)
{
    globs->patterns = memory_resize(globs->patterns, globs->count + 1, sizeof *globs->patterns);
    globs->patterns[globs->count++] = pattern;
}

static bool take_pid(struct query *query, const struct options *options)
{
    int64_t pid;
    if (!take_number(options, "pid", 1, &pid))
        return false;
    query->pids = memory_resize(query->pids, query->pid_count + 1, sizeof *query->pids);
    query->pids[query->pid_count++] = pid;
    return true;
}

/* The options that are about the question. */
static bool take_query(struct query *query, int option, const struct options *options)
{
    int choice;
    int64_t number;
    switch (option) {
    case OPTION_AT:
        if (!take_choice(options, "at", moment_names, &choice))
            return false;
        query->moment = (enum moment)choice;
        return true;
    case OPTION_BY:
        if (!take_choice(options, "by", group_names, &choice))
            return false;
        query->by = (enum group_by)choice;
        return true;
    case OPTION_SORT:
        if (!take_choice(options, "sort", sort_names, &choice))
            return false;
        query->sort = (enum sort)choice;
        return true;
    case OPTION_ALLOCATOR:
        if (!take_choice(options, "allocator", allocator_names, &choice))
            return false;
        query->allocators |= 1u << choice;
        return true;
    case OPTION_LIMIT:
        if (!take_number(options, "limit", 0, &number))
            return false;
        query->limit = (size_t)number;
        return true;
    default:
        return take_pid(query, options);
    }
}

static bool take_operand(struct report_request *request, const struct options *options)
{
    if (request->file) {
        options_wrong(options, "one recording at a time, and not also '%s'", options->value);
        return false;
    }
    request->file = options->value;
    return true;
}

static bool take_option(struct report_request *request, int option, const struct options *options)
{
    switch (option) {
    case OPTIONS_WRONG:
        return false;
    case OPTIONS_OPERAND:
        return take_operand(request, options);
    case OPTION_CUMULATIVE:
        request->query.cumulative = true;
        return true;
    case OPTION_INCLUDE:
        take_glob(&request->query.include, options->value);
        return true;
    case OPTION_EXCLUDE:
        take_glob(&request->query.exclude, options->value);
        return true;
    case OPTION_JSON:
        return request->json = true;
    case OPTION_CSV:
        return request->csv = true;
    case OPTION_NO_COLOR:
        return request->no_color = true;
    case OPTION_HELP:
        return request->help = true;
    default:
        return take_query(&request->query, option, options);
    }
}

static bool read_request(struct report_request *request, char **arguments)
{
    struct options options = {
        .command = "heapline report",
        .specs = specs,
        .spec_count = SPEC_COUNT,
        .arguments = arguments,
    };
    for (int option; (option = options_next(&options)) != OPTIONS_END;)
        if (!take_option(request, option, &options))
            return false;
    if (request->json && request->csv) {
        options_wrong(&options, "--json or --csv, not both");
        return false;
    }
    if (request->query.cumulative && !group_by_is_place(request->query.by)) {
        options_wrong(&options, "--cumulative needs --by line, file or function");
        return false;
    }
    return true;
}

static void print_answer(const struct report_request *request, struct recording *recording,
                         const struct answer *answer)
{
    if (request->json)
        report_print_json(stdout, answer);
    else if (request->csv)
        report_print_csv(stdout, answer);
    else
        report_print_text(stdout, recording, answer, terminal_columns(STDOUT_FILENO),
                          colours_for(STDOUT_FILENO, request->no_color));
}

static int fail(const char *problem)
{
    fprintf(stderr, "heapline report: %s\n", problem);
    return STATUS_FAILED;
}

static int report_file(const struct report_request *request, const char *file)
{
    CLEANUP(recording_deinit) struct recording recording;
    if (!recording_init(&recording, file))
        return fail(recording_problem(&recording));
    CLEANUP(answer_deinit) struct answer answer;
    if (!answer_init(&answer, &recording, &request->query))
        return fail(recording_problem(&recording));
    if (request->query.pid_count && !answer.process_count)
        return fail("the recording has no process of that number; see --by process");
    print_answer(request, &recording, &answer);
    if (fflush(stdout) != 0 || ferror(stdout))
        return fail("the report could not be written completely; is the disk full?");
    return STATUS_GOOD;
}

static int report_newest(const struct report_request *request)
{
    CLEANUP(cleanup_free) char *newest = newest_recording();
    if (!newest)
        return fail("no *.heapline in this folder; name a recording or make one with heapline run");
    fprintf(stderr, "heapline report: %s\n", newest);
    return report_file(request, newest);
}

int command_report(char **arguments)
{
    struct report_request request = {0};
    query_init(&request.query);
    int status = STATUS_WRONG_USAGE;
    if (read_request(&request, arguments)) {
        if (request.help)
            print_help();
        status = request.help   ? STATUS_GOOD
                 : request.file ? report_file(&request, request.file)
                                : report_newest(&request);
    }
    query_deinit(&request.query);
    return status;
}
