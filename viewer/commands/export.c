/*
 * heapline export: files that other programs open.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "viewer/base/cleanup.h"
#include "viewer/base/memory.h"
#include "viewer/cli/output.h"
#include "viewer/cli/query_options.h"
#include "viewer/commands/commands.h"
#include "viewer/export/export.h"

#define COMMAND_NAME "heapline export"

enum {
    OPTION_FORMAT = 1,
    OPTION_OUTPUT,
};

static const struct option_spec specs[] = {
    {0, "format", "FORMAT", "which of the formats above", OPTION_FORMAT},
    {'o', "output", "FILE", "where to, - for standard output", OPTION_OUTPUT},
    QUERY_SPEC_AT,
    QUERY_SPEC_BETWEEN,
    QUERY_SPEC_TEMPORARY,
    QUERY_SPECS_BY,
    QUERY_SPECS_FILTERS,
    FORM_SPEC_HELP,
};

/* What can be chosen of a recording for a format; --pid and --inherited always can. */
enum {
    CHOOSES_MOMENT = 1 << 0,    /* --at */
    CHOOSES_SPAN = 1 << 1,      /* --between */
    CHOOSES_TEMPORARY = 1 << 2, /* --temporary */
    CHOOSES_BLOCKS = 1 << 3,    /* --include, --exclude, --allocator */
    CHOOSES_ROWS = 1 << 4,      /* --by, --blame */
    CHOOSES_ALL = CHOOSES_MOMENT | CHOOSES_SPAN | CHOOSES_TEMPORARY | CHOOSES_BLOCKS,
};

struct format {
    const char *name;
    const char *help;
    export_writer *write;
    unsigned choices;
    const char *refusal; /* why there are no more */
};

static const struct format formats[] = {
    {"pprof", "what pprof, Parca and Pyroscope open", export_pprof, CHOOSES_ALL, NULL},
    {"speedscope", "what speedscope opens", export_speedscope, CHOOSES_ALL, NULL},
    {"dhat", "what dh_view.html (valgrind) and the Firefox Profiler open", export_dhat,
     CHOOSES_MOMENT | CHOOSES_BLOCKS,
     "is of the whole run: --between and --temporary choose nothing from it"},
    {"folded", "a line a stack, for flamegraph.pl, inferno, speedscope", export_folded, CHOOSES_ALL,
     NULL},
    {"csv", "a table of all rows of heapline report", export_csv, CHOOSES_ALL | CHOOSES_ROWS, NULL},
    {"tracemalloc", "what tracemalloc.Snapshot.load() opens", export_tracemalloc, CHOOSES_ALL,
     NULL},
    {"memray", "JSON as memray stats --json has it", export_memray, CHOOSES_SPAN | CHOOSES_BLOCKS,
     "has what was allocated in all, or between two moments: --at and --temporary choose nothing "
     "from it"},
    {"chrome", "counters over time for Perfetto and chrome://tracing", export_chrome, 0,
     "has memory over the whole run: only --pid chooses from it"},
    {"mprof", "what mprof plot draws: resident memory over time", export_mprof, 0,
     "has resident memory over the whole run: only --pid chooses from it"},
};
#define FORMAT_COUNT (sizeof formats / sizeof *formats)

static const char *format_name(size_t index)
{
    return index < FORMAT_COUNT ? formats[index].name : NULL;
}

static const struct option_words word_lists[] = {{OPTION_FORMAT, NULL, format_name}, {0}};

struct export_request {
    const char *output;
    const struct format *format;
};

static void explain_formats(void)
{
    for (size_t i = 0; i < FORMAT_COUNT; i++)
        printf("  %-28s %s\n", formats[i].name, formats[i].help);
}

/* "pprof, folded or csv" */
static char *names_of_formats(void)
{
    char *names = NULL;
    for (size_t i = 0; i < FORMAT_COUNT; i++) {
        CLEANUP(cleanup_free) char *before = names;
        const char *between = i == 0 ? "" : i + 1 < FORMAT_COUNT ? ", " : " or ";
        names = memory_print("%s%s%s", before ? before : "", between, formats[i].name);
    }
    return names;
}

static bool take_format(struct export_request *request, const struct options *options)
{
    for (size_t i = 0; i < FORMAT_COUNT; i++)
        if (!strcmp(formats[i].name, options->value)) {
            request->format = &formats[i];
            return true;
        }
    CLEANUP(cleanup_free) char *names = names_of_formats();
    options_wrong(options, "there is no format '%s', only %s", options->value, names);
    return false;
}

static bool take_option(struct request *request, int option, struct options *options)
{
    struct export_request *own = request->own;
    if (option == OPTION_FORMAT)
        return take_format(own, options);
    own->output = options->value;
    return true;
}

/* What the question chooses, but for rows. */
static unsigned choices_of(const struct query *query)
{
    unsigned choices = 0;
    if (query->at.text)
        choices |= CHOOSES_MOMENT;
    if (query->between)
        choices |= CHOOSES_SPAN;
    if (query->temporary)
        choices |= CHOOSES_TEMPORARY;
    if (query_selects_blocks(query))
        choices |= CHOOSES_BLOCKS;
    return choices;
}

static bool check_format(const struct request *request, const struct format *format,
                         const struct options *options)
{
    bool chooses_rows =
        request_has(request, QUERY_OPTION_BY) || request_has(request, QUERY_OPTION_BLAME);
    if (!format) {
        CLEANUP(cleanup_free) char *names = names_of_formats();
        return options_wrong(options, "--format is needed: %s", names), false;
    }
    if (chooses_rows && !(format->choices & CHOOSES_ROWS))
        return options_wrong(options, "only csv has rows that --by and --blame choose"), false;
    if (choices_of(&request->query) & ~format->choices)
        return options_wrong(options, "%s's format %s", format->name, format->refusal), false;
    return true;
}

static bool check_request(struct request *request, const struct options *options)
{
    const struct export_request *own = request->own;
    if (request->form.help)
        return true;
    if (!check_format(request, own->format, options))
        return false;
    if (!own->output || !*own->output)
        return options_wrong(options, "--output is needed: a file, or - for standard output"),
               false;
    return query_options_check(&request->query, options);
}

struct export_job {
    const struct request *request;
    struct recording *recording;
};

static bool write_export(void *context, FILE *stream)
{
    const struct export_job *job = context;
    const struct export_request *own = job->request->own;
    return own->format->write(stream, job->recording, &job->request->query) ||
           request_fail_reading(job->request, job->recording) == STATUS_GOOD;
}

static int export_show(struct request *request, struct recording *recording)
{
    const struct export_request *own = request->own;
    struct export_job job = {request, recording};
    return output_write(COMMAND_NAME, own->output, write_export, &job);
}

static int export_perform(struct request *request)
{
    const struct export_request *own = request->own;
    const char *file = request_file(request);
    return file && !output_is(COMMAND_NAME, own->output, file)
               ? request_show(request, file, export_show)
               : STATUS_FAILED;
}

const struct subcommand command_export = {
    .name = COMMAND_NAME,
    .summary = "files for other programs",
    .usage = "Usage: heapline export --format FORMAT -o FILE [OPTION...] [RUN]\n\n"
             "Writes what a recording says into a file for another program.\n\n"
             "Formats:\n",
    .options = OPTION_TABLE(specs, word_lists),
    .files_most = 1,
    .own_size = sizeof(struct export_request),
    .take = take_option,
    .check = check_request,
    .explain = explain_formats,
    .perform = export_perform,
};
