/*
 * heapline html: an interactive page of a recording, or of two that are compared.
 *
 * All that the page says is there before the file is opened: a recording that turns out to be
 * damaged takes nobody's earlier page away.
 */
#include <stdio.h>
#include <stdlib.h>

#include "viewer/base/cleanup.h"
#include "viewer/cli/arguments.h"
#include "viewer/cli/command.h"
#include "viewer/cli/output.h"
#include "viewer/cli/query_options.h"
#include "viewer/html/page.h"
#include "viewer/recording/loading.h"

#define COMMAND "heapline html"

enum {
    OPTION_OUTPUT = 1,
    OPTION_HELP,
};

static const struct option_spec specs[] = {
    {'o', "output", "FILE", "where to, - for standard output", OPTION_OUTPUT},
    QUERY_SPEC_AT,
    QUERY_SPEC_BETWEEN,
    QUERY_SPEC_TEMPORARY,
    QUERY_SPECS_FILTERS,
    {'h', "help", NULL, "print this", OPTION_HELP},
};
#define SPEC_COUNT (sizeof specs / sizeof *specs)
const struct option_table html_options = {specs, SPEC_COUNT, NULL};

struct html_request {
    struct query query;
    const char *files[2]; /* none: the newest */
    size_t file_count;
    const char *output;
    bool help;
};

static int print_help(void)
{
    fputs(
        "Usage: heapline html [OPTION...] -o FILE [RUN]\n"
        "       heapline html [OPTION...] -o FILE RUN_A RUN_B\n\n"
        "Writes a page for a browser: memory over time, a flame graph, a table and the source, of\n"
        "any moment and span. Of two recordings it shows what changed from the first to the\n"
        "second. The options choose what it opens with; --pid and --inherited what is on it.\n",
        stdout);
    options_help(stdout, specs, SPEC_COUNT);
    return arguments_finish(COMMAND);
}

static bool take_option(void *context, int option, struct options *options)
{
    struct html_request *request = context;
    switch (option) {
    case OPTIONS_OPERAND:
        if (request->file_count == 2)
            return options_wrong(options, "two recordings, and not also '%s'", options->value),
                   false;
        request->files[request->file_count++] = options->value;
        return true;
    case OPTION_OUTPUT:
        request->output = options->value;
        return true;
    case OPTION_HELP:
        return request->help = true;
    default:
        return query_option_take(&request->query, option, options);
    }
}

static bool read_request(struct html_request *request, char **arguments)
{
    struct options options = {
        .command = COMMAND,
        .specs = specs,
        .spec_count = SPEC_COUNT,
        .arguments = arguments,
    };
    if (!arguments_read(&options, take_option, request))
        return false;
    if (request->help)
        return true;
    if (!request->output || !*request->output)
        return options_wrong(&options, "--output is needed: a file, or - for standard output"),
               false;
    if (request->file_count == 2 && request->query.between)
        return options_wrong(&options, "a span is of one recording, not of two"), false;
    return query_options_check(&request->query, &options);
}

static bool write_data(void *context, FILE *stream)
{
    page_write(stream, context);
    return true;
}

static int write_recordings(const struct html_request *request, struct recording *const *recordings,
                            size_t count)
{
    json_t *data = page_data(recordings, count, &request->query);
    if (data) {
        int status = output_write(COMMAND, request->output, write_data, data);
        json_decref(data);
        return status;
    }
    for (size_t i = 0; i + 1 < count; i++)
        if (*recording_problem(recordings[i]))
            return arguments_fail(COMMAND, recording_problem(recordings[i]));
    return arguments_fail(COMMAND, recording_problem(recordings[count - 1]));
}

static int write_one(void *context, const char *file)
{
    const struct html_request *request = context;
    if (output_is(COMMAND, request->output, file))
        return STATUS_FAILED;
    struct progress progress;
    progress_init(&progress, COMMAND);
    CLEANUP(recording_deinit) struct recording recording;
    if (!recording_init(&recording, file, &progress))
        return arguments_fail(COMMAND, recording_problem(&recording));
    return write_recordings(request, (struct recording *[]){&recording}, 1);
}

static int write_two(const struct html_request *request)
{
    for (size_t i = 0; i < 2; i++)
        if (output_is(COMMAND, request->output, request->files[i]))
            return STATUS_FAILED;
    struct progress progress;
    progress_init(&progress, COMMAND);
    CLEANUP(recording_deinit) struct recording before = {0};
    CLEANUP(recording_deinit) struct recording after = {0};
    if (!recording_init(&before, request->files[0], &progress))
        return arguments_fail(COMMAND, recording_problem(&before));
    if (!recording_init(&after, request->files[1], &progress))
        return arguments_fail(COMMAND, recording_problem(&after));
    return write_recordings(request, (struct recording *[]){&before, &after}, 2);
}

static int write_page(struct html_request *request)
{
    if (!page_is_there())
        return arguments_fail(COMMAND,
                              "this heapline was built without the page, for which npm and "
                              "its registry must be at hand");
    if (request->file_count == 2)
        return write_two(request);
    return arguments_show(COMMAND, request->files[0], write_one, request);
}

int command_html(char **arguments)
{
    struct html_request request = {0};
    int status = STATUS_WRONG_USAGE;
    query_init(&request.query);
    if (read_request(&request, arguments))
        status = request.help ? print_help() : write_page(&request);
    query_deinit(&request.query);
    return status;
}
