/*
 * heapline check: a verdict on a recording.
 */
#include <inttypes.h>
#include <stdio.h>

#include "viewer/base/cleanup.h"
#include "viewer/base/say.h"
#include "viewer/base/utf8.h"
#include "viewer/commands/commands.h"
#include "viewer/history/verify.h"

#define COMMAND_NAME "heapline check"

/* The command's own statuses. */
enum {
    CHECK_GOOD = 0,
    CHECK_BAD = 1,
    CHECK_UNKNOWN = 2, /* also for wrong usage */
};

enum {
    OPTION_VERIFY = 1,
};

static const struct option_spec specs[] = {
    {0, "verify", NULL,
     "play every event of the history and compare it with\n"
     "the sums at the peak, at the end and at the exit",
     OPTION_VERIFY},
    FORM_SPEC_HELP,
};

static bool take_option(struct request *request, int option, struct options *options)
{
    bool *verify = request->own;
    (void)option, (void)options;
    return *verify = true;
}

static bool check_request(struct request *request, const struct options *options)
{
    const bool *verify = request->own;
    if (!*verify && !request->form.help)
        return options_wrong(options, "there is nothing to check; give --verify"), false;
    return true;
}

static int verdict_tell(int status, const char *file, const char *text)
{
    CLEANUP(cleanup_free) char *name = utf8_escape(file);
    if (status == CHECK_GOOD)
        printf(COMMAND_NAME ": %s: %s\n", name, text);
    else
        say(COMMAND_NAME, "%s: %s", name, text);
    return status;
}

static int check_show(struct request *request, struct recording *recording)
{
    const char *file = recording->database.path;
    struct verification verification;
    char text[64];
    switch (recording_verify(recording, &verification)) {
    case VERDICT_AGREES:
        if (recording->run.history)
            snprintf(text, sizeof text, "%" PRIu64 " events agree with the sums",
                     verification.events);
        else
            snprintf(text, sizeof text, "its slices of time agree with the sums");
        return verdict_tell(CHECK_GOOD, file, text);
    case VERDICT_DIFFERS:
        return verdict_tell(CHECK_BAD, file, verification.difference);
    case VERDICT_UNKNOWN:
        break;
    }
    return request_fail_reading(request, recording);
}

const struct subcommand command_check = {
    .name = COMMAND_NAME,
    .summary = "whether a recording is as it should be",
    .usage =
        "Usage: heapline check --verify [RUN]\n\n"
        "Says by its exit status whether a recording is as it should be: 0 when it is, 1 when it\n"
        "is not, 2 when that cannot be told.\n",
    .options = OPTION_TABLE(specs, NULL),
    .files_most = 1,
    .own_size = sizeof(bool),
    .failed = CHECK_UNKNOWN,
    .take = take_option,
    .check = check_request,
    .show = check_show,
};
