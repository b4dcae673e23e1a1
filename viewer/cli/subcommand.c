/*
 * The way of a command from its arguments to its exit status: options and operands are read one
 * after the other, then it is asked whether they go together, then help is printed or the answer.
 */
#include "viewer/cli/subcommand.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "viewer/base/cleanup.h"
#include "viewer/base/memory.h"
#include "viewer/base/say.h"
#include "viewer/cli/newest.h"
#include "viewer/cli/query_options.h"
#include "viewer/recording/loading.h"

const char *subcommand_word(const struct subcommand *subcommand)
{
    return subcommand->name + strlen("heapline ");
}

void subcommand_help(const struct subcommand *subcommand)
{
    fputs(subcommand->usage, stdout);
    if (subcommand->explain)
        subcommand->explain();
    options_help(stdout, subcommand->options.specs, subcommand->options.spec_count);
}

/* --- the arguments --- */

static uint32_t bit_of(int option)
{
    return UINT32_C(1) << (option - QUERY_OPTION_AT);
}

bool request_has(const struct request *request, int option)
{
    return request->given & bit_of(option);
}

static bool take_file(struct request *request, const struct options *options)
{
    size_t most = request->subcommand->files_most;
    if (request->file_count < most) {
        request->files[request->file_count++] = options->value;
        return true;
    }
    options_wrong(options, "%s, and not also '%s'",
                  most == 1 ? "one recording at a time" : "two recordings", options->value);
    return false;
}

static bool option_take(struct request *request, int option, struct options *options)
{
    if (option == OPTIONS_OPERAND && request->subcommand->files_most)
        return take_file(request, options);
    if (option < QUERY_OPTION_AT)
        return request->subcommand->take(request, option, options);
    if (form_option_take(&request->form, option))
        return true;
    request->given |= bit_of(option);
    return query_option_take(&request->query, option, options);
}

static bool read_request(struct request *request, char **arguments)
{
    const struct subcommand *subcommand = request->subcommand;
    struct options options = {
        .command = subcommand->name,
        .specs = subcommand->options.specs,
        .spec_count = subcommand->options.spec_count,
        .arguments = arguments,
        .stop_at_operand = subcommand->operands == OPERANDS_COMMAND,
    };
    for (int option; (option = options_next(&options)) != OPTIONS_END;)
        if (option == OPTIONS_WRONG || !option_take(request, option, &options))
            return false;
    request->command = options.arguments;
    return !subcommand->check || subcommand->check(request, &options);
}

bool request_check_form(struct request *request, const struct options *options)
{
    return form_check(&request->form, options);
}

/* --- doing it --- */

const char *request_file(struct request *request)
{
    if (request->file_count)
        return request->files[0];
    request->newest = newest_recording();
    if (request->newest)
        say(request->subcommand->name, "%s", request->newest);
    else
        say(request->subcommand->name,
            "no *.heapline in this folder; name a recording or make one with heapline run");
    return request->newest;
}

static int failed_status(const struct subcommand *subcommand)
{
    return subcommand->failed ? subcommand->failed : STATUS_FAILED;
}

int request_fail(const struct request *request, const char *problem)
{
    say(request->subcommand->name, "%s", problem);
    return failed_status(request->subcommand);
}

int request_fail_reading(const struct request *request, const struct recording *recording)
{
    return request_fail(request, recording_problem(recording));
}

int request_finish(const struct request *request)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return STATUS_GOOD;
    return request_fail(request, "it could not be written completely; is the disk full?");
}

/* What the answer has left out. */
static void tell_skipped(const struct request *request, const struct recording *recording)
{
    if (recording->database.skipped)
        say(request->subcommand->name,
            "%s has records of kinds that this version does not know, which are left out; use a "
            "newer heapline",
            recording->database.path);
}

int request_show(struct request *request, const char *file,
                 int (*show)(struct request *request, struct recording *recording))
{
    struct progress progress;
    progress_init(&progress, request->subcommand->name);
    CLEANUP(recording_deinit) struct recording recording;
    if (!recording_init(&recording, file, &progress))
        return request_fail_reading(request, &recording);
    int status = show(request, &recording);
    tell_skipped(request, &recording);
    return status;
}

int request_show_both(struct request *request,
                      int (*show)(struct request *request, struct recording *before,
                                  struct recording *after))
{
    struct progress progress;
    progress_init(&progress, request->subcommand->name);
    CLEANUP(recording_deinit) struct recording before = {0};
    CLEANUP(recording_deinit) struct recording after = {0};
    if (!recording_init(&before, request->files[0], &progress))
        return request_fail_reading(request, &before);
    if (!recording_init(&after, request->files[1], &progress))
        return request_fail_reading(request, &after);
    int status = show(request, &before, &after);
    tell_skipped(request, &before);
    tell_skipped(request, &after);
    return status;
}

static int request_perform(struct request *request)
{
    const struct subcommand *subcommand = request->subcommand;
    if (request->form.help) {
        subcommand_help(subcommand);
        return request_finish(request);
    }
    if (subcommand->perform)
        return subcommand->perform(request);
    const char *file = request_file(request);
    return file ? request_show(request, file, subcommand->show) : failed_status(subcommand);
}

int subcommand_run(const struct subcommand *subcommand, char **arguments)
{
    if (subcommand->run)
        return subcommand->run(arguments);
    struct request request = {
        .subcommand = subcommand,
        .own = memory_new(1, subcommand->own_size),
    };
    query_init(&request.query);
    int status = read_request(&request, arguments) ? request_perform(&request) : STATUS_WRONG_USAGE;
    if (subcommand->forget)
        subcommand->forget(&request);
    query_deinit(&request.query);
    free(request.own);
    free(request.newest);
    return status;
}
