/*
 * heapline html: an interactive page of a recording, or of two that are compared.
 *
 * All that the page says is there before the file is opened: a recording that turns out to be
 * damaged takes nobody's earlier page away.
 */
#include <stdio.h>
#include <stdlib.h>

#include "viewer/base/cleanup.h"
#include "viewer/cli/output.h"
#include "viewer/cli/query_options.h"
#include "viewer/commands/commands.h"
#include "viewer/html/page.h"

#define COMMAND_NAME "heapline html"

enum {
    OPTION_OUTPUT = 1,
};

static const struct option_spec specs[] = {
    {'o', "output", "FILE", "where to, - for standard output", OPTION_OUTPUT},
    QUERY_SPEC_AT,
    QUERY_SPEC_BETWEEN,
    QUERY_SPEC_TEMPORARY,
    QUERY_SPECS_FILTERS,
    FORM_SPEC_HELP,
};

/* What is the command's own: where to. */
static const char *output_of(const struct request *request)
{
    return *(const char **)request->own;
}

static bool take_option(struct request *request, int option, struct options *options)
{
    const char **output = request->own;
    (void)option;
    *output = options->value;
    return true;
}

static bool is_of_touched(const struct moment *moment)
{
    return moment->kind == MOMENT_TOUCHED || moment->kind == MOMENT_RESIDENT ||
           moment->kind == MOMENT_SELECTION;
}

static bool check_request(struct request *request, const struct options *options)
{
    const char *output = output_of(request);
    if (request->form.help)
        return true;
    if (!output || !*output)
        return options_wrong(options, "--output is needed: a file, or - for standard output"),
               false;
    if (request->file_count == 2 && request->query.between)
        return options_wrong(options, "a span is of one recording, not of two"), false;
    if (is_of_touched(&request->query.at) || is_of_touched(&request->query.from) ||
        is_of_touched(&request->query.to))
        return options_wrong(options, "a page shows what was asked for, and its moments are peak, "
                                      "end, exit and times"),
               false;
    if (request->query.sizes)
        return options_wrong(options, "a page shows blocks of all sizes"), false;
    return query_options_check(&request->query, options);
}

static bool write_data(void *context, FILE *stream)
{
    page_write(stream, context);
    return true;
}

static int write_recordings(const struct request *request, struct recording *const *recordings,
                            size_t count)
{
    json_t *data = page_data(recordings, count, &request->query);
    if (data) {
        int status = output_write(COMMAND_NAME, output_of(request), write_data, data);
        json_decref(data);
        return status;
    }
    for (size_t i = 0; i + 1 < count; i++)
        if (*recording_problem(recordings[i]))
            return request_fail_reading(request, recordings[i]);
    return request_fail_reading(request, recordings[count - 1]);
}

static int write_one(struct request *request, struct recording *recording)
{
    return write_recordings(request, &recording, 1);
}

static int write_two(struct request *request, struct recording *before, struct recording *after)
{
    return write_recordings(request, (struct recording *[]){before, after}, 2);
}

static int write_page(struct request *request)
{
    if (!page_is_there())
        return request_fail(request, "this heapline was built without the page, for which npm and "
                                     "its registry must be at hand");
    const char *file = request_file(request);
    if (!file || output_is(COMMAND_NAME, output_of(request), file) ||
        (request->file_count == 2 &&
         output_is(COMMAND_NAME, output_of(request), request->files[1])))
        return STATUS_FAILED;
    return request->file_count == 2 ? request_show_both(request, write_two)
                                    : request_show(request, file, write_one);
}

const struct subcommand command_html = {
    .name = COMMAND_NAME,
    .summary = "an interactive page, one file for a browser",
    .usage =
        "Usage: heapline html [OPTION...] -o FILE [RUN]\n"
        "       heapline html [OPTION...] -o FILE RUN_A RUN_B\n\n"
        "Writes a page for a browser: memory over time, a flame graph, a table and the source, of\n"
        "any moment and span. Of two recordings it shows what changed from the first to the\n"
        "second. The options choose what it opens with; --pid and --inherited what is on it.\n",
    .options = OPTION_TABLE(specs, NULL),
    .files_most = 2,
    .own_size = sizeof(const char *),
    .take = take_option,
    .check = check_request,
    .perform = write_page,
};
