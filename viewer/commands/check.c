/*
 * heapline check: a verdict on a recording.
 */
#include <inttypes.h>
#include <stdio.h>

#include "viewer/base/cleanup.h"
#include "viewer/base/options.h"
#include "viewer/base/say.h"
#include "viewer/base/utf8.h"
#include "viewer/cli/arguments.h"
#include "viewer/cli/command.h"
#include "viewer/history/verify.h"
#include "viewer/recording/loading.h"

#define COMMAND "heapline check"

/* The command's own statuses. */
enum {
    CHECK_GOOD = 0,
    CHECK_BAD = 1,
    CHECK_UNKNOWN = 2, /* also for wrong usage */
};

enum {
    OPTION_VERIFY = 1,
    OPTION_HELP,
};

static const struct option_spec specs[] = {
    {0, "verify", NULL,
     "play every event of the history and compare it with\n"
     "the sums at the peak, at the end and at the exit",
     OPTION_VERIFY},
    {'h', "help", NULL, "print this", OPTION_HELP},
};
#define SPEC_COUNT (sizeof specs / sizeof *specs)
const struct option_table check_options = {specs, SPEC_COUNT, NULL};

struct check_request {
    const char *file; /* NULL: the newest */
    bool verify, help;
};

static void print_help(void)
{
    fputs(
        "Usage: heapline check --verify [RUN]\n\n"
        "Says by its exit status whether a recording is as it should be: 0 when it is, 1 when it\n"
        "is not, 2 when that cannot be told.\n",
        stdout);
    options_help(stdout, specs, SPEC_COUNT);
}

static bool take_option(void *context, int option, struct options *options)
{
    struct check_request *request = context;
    if (option == OPTION_VERIFY)
        return request->verify = true;
    if (option == OPTION_HELP)
        return request->help = true;
    return arguments_operand(options, &request->file);
}

static bool read_request(struct check_request *request, char **arguments)
{
    struct options options = {
        .command = COMMAND,
        .specs = specs,
        .spec_count = SPEC_COUNT,
        .arguments = arguments,
    };
    if (!arguments_read(&options, take_option, request))
        return false;
    if (!request->verify && !request->help)
        return options_wrong(&options, "there is nothing to check; give --verify"), false;
    return true;
}

static int tell(int status, const char *file, const char *text)
{
    CLEANUP(cleanup_free) char *name = utf8_escape(file);
    if (status == CHECK_GOOD)
        printf(COMMAND ": %s: %s\n", name, text);
    else
        say(COMMAND, "%s: %s", name, text);
    return status;
}

static int check_file(const char *file)
{
    struct progress progress;
    progress_init(&progress, COMMAND);
    CLEANUP(recording_deinit) struct recording recording;
    struct verification verification;
    char text[64];
    if (!recording_init(&recording, file, &progress)) {
        say(COMMAND, "%s", recording_problem(&recording));
        return CHECK_UNKNOWN;
    }
    switch (verify(&recording, &verification)) {
    case VERDICT_AGREES:
        if (recording.run.history)
            snprintf(text, sizeof text, "%" PRIu64 " events agree with the sums",
                     verification.events);
        else
            snprintf(text, sizeof text, "its slices of time agree with the sums");
        return tell(CHECK_GOOD, file, text);
    case VERDICT_DIFFERS:
        return tell(CHECK_BAD, file, verification.difference);
    case VERDICT_UNKNOWN:
        break;
    }
    say(COMMAND, "%s", recording_problem(&recording));
    return CHECK_UNKNOWN;
}

int command_check(char **arguments)
{
    struct check_request request = {0};
    if (!read_request(&request, arguments))
        return CHECK_UNKNOWN;
    if (request.help) {
        print_help();
        return CHECK_GOOD;
    }
    CLEANUP(cleanup_free) char *newest = NULL;
    const char *file = arguments_recording(COMMAND, request.file, &newest);
    return file ? check_file(file) : CHECK_UNKNOWN;
}
