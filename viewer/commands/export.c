/*
 * heapline export: files that other programs open.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "viewer/cleanup.h"
#include "viewer/commands/arguments.h"
#include "viewer/commands/command.h"
#include "viewer/commands/query_options.h"
#include "viewer/export/export.h"
#include "viewer/recording.h"

#define COMMAND "heapline export"

enum {
    OPTION_FORMAT = 1,
    OPTION_OUTPUT,
    OPTION_HELP,
};

static const struct option_spec specs[] = {
    {0, "format", "FORMAT",
     "tracemalloc: what tracemalloc.Snapshot.load() opens;\n"
     "mprof: what mprof plot draws",
     OPTION_FORMAT},
    {'o', "output", "FILE", "where to, - for standard output", OPTION_OUTPUT},
    QUERY_SPEC_AT,
    QUERY_SPEC_BETWEEN,
    QUERY_SPEC_TEMPORARY,
    QUERY_SPECS_FILTERS,
    {'h', "help", NULL, "print this", OPTION_HELP},
};
#define SPEC_COUNT (sizeof specs / sizeof *specs)

static const char *const format_names[] = {"tracemalloc", "mprof", NULL};
static export_writer *const writers[] = {export_tracemalloc, export_mprof};

struct export_request {
    struct query query;
    const char *file; /* NULL: the newest */
    const char *output;
    export_writer *writer;
    bool help;
};

static int print_help(void)
{
    fputs("Usage: heapline export --format FORMAT -o FILE [OPTION...] [RUN]\n\n"
          "Writes what a recording says into a file for another program.\n",
          stdout);
    options_help(stdout, specs, SPEC_COUNT);
    return arguments_finish(COMMAND);
}

static bool take_format(struct export_request *request, const struct options *options)
{
    int format = options_choice(format_names, options->value);
    if (format < 0) {
        options_wrong(options, "there is no format '%s', only tracemalloc and mprof",
                      options->value);
        return false;
    }
    request->writer = writers[format];
    return true;
}

static bool take_option(void *context, int option, struct options *options)
{
    struct export_request *request = context;
    switch (option) {
    case OPTIONS_OPERAND:
        return arguments_operand(options, &request->file);
    case OPTION_FORMAT:
        return take_format(request, options);
    case OPTION_OUTPUT:
        request->output = options->value;
        return true;
    case OPTION_HELP:
        return request->help = true;
    default:
        return query_option_take(&request->query, option, options);
    }
}

static bool read_request(struct export_request *request, char **arguments)
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
    if (!request->writer)
        return options_wrong(&options, "--format is needed: tracemalloc or mprof"), false;
    if (!request->output || !*request->output)
        return options_wrong(&options, "--output is needed: a file, or - for standard output"),
               false;
    const struct query *query = &request->query;
    bool is_part = query->at.text || query->between || query->temporary || query->allocators ||
                   query->include.count || query->exclude.count;
    if (request->writer == export_mprof && is_part)
        return options_wrong(&options, "mprof's format has resident memory over the whole run: "
                                       "only --pid chooses from it"),
               false;
    return query_options_check(query, &options);
}

static int fail(const char *what, const char *why)
{
    fprintf(stderr, COMMAND ": %s: %s\n", what, why);
    return STATUS_FAILED;
}

static int write_to(const struct export_request *request, struct recording *recording, FILE *stream)
{
    if (!request->writer(stream, recording, &request->query))
        return arguments_fail(COMMAND, recording_problem(recording));
    if (fflush(stream) == 0 && !ferror(stream))
        return STATUS_GOOD;
    return fail(request->output, "not written completely; is the disk full?");
}

static int export_file(void *context, const char *file)
{
    const struct export_request *request = context;
    CLEANUP(recording_deinit) struct recording recording;
    if (!recording_init(&recording, file))
        return arguments_fail(COMMAND, recording_problem(&recording));
    if (!strcmp(request->output, "-"))
        return write_to(request, &recording, stdout);
    FILE *stream = fopen(request->output, "we");
    if (!stream)
        return fail(request->output, strerror(errno));
    int status = write_to(request, &recording, stream);
    if (fclose(stream) != 0 && status == STATUS_GOOD)
        status = fail(request->output, strerror(errno));
    if (status != STATUS_GOOD)
        remove(request->output);
    return status;
}

int command_export(char **arguments)
{
    struct export_request request = {0};
    int status = STATUS_WRONG_USAGE;
    query_init(&request.query);
    if (read_request(&request, arguments))
        status = request.help ? print_help()
                              : arguments_show(COMMAND, request.file, export_file, &request);
    query_deinit(&request.query);
    return status;
}
