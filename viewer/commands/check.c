/*
 * heapline check: a verdict on a recording.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "damage.h"
#include "viewer/base/cleanup.h"
#include "viewer/base/say.h"
#include "viewer/base/utf8.h"
#include "viewer/commands/commands.h"
#include "viewer/history/verify.h"
#include "viewer/recording/table_rows.h"

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

static const char *words_of_damage(const char *reason)
{
    static const char *const keys[] = {DAMAGE_REASONS(DAMAGE_KEY)};
    static const char *const words[] = {DAMAGE_REASONS(DAMAGE_WORDS)};
    for (size_t i = 0; i < DAMAGE_COUNT; i++)
        if (strcmp(keys[i], reason) == 0)
            return words[i];
    return reason;
}

static bool take_damage(const void *row, void *context)
{
    const struct store_damage *damage = row;
    struct recording *recording = context;
    const struct process *process = recording_process(recording, damage->process);
    if (!process)
        return database_damaged(&recording->database, "what was lost of no process");
    char text[256];
    CLEANUP(cleanup_free) char *words = utf8_escape(words_of_damage(damage->reason));
    snprintf(text, sizeof text, "process %" PRId64 " lost %" PRIu64 " %s", process->pid,
             damage->times, words);
    verdict_tell(CHECK_GOOD, recording->database.path, text);
    return true;
}

/* What was lost, and why: that does not make a recording a wrong one. */
static bool tell_damage(struct recording *recording)
{
    return table_rows_each_if_any(&recording->database, STORE_TABLE_DAMAGE,
                                  "ORDER BY process, reason", take_damage, recording);
}

static int check_show(struct request *request, struct recording *recording)
{
    const char *file = recording->database.path;
    struct verification verification;
    char text[160];
    switch (recording_verify(recording, &verification)) {
    case VERDICT_AGREES:
        if (!recording->run.history)
            snprintf(text, sizeof text, "its slices of time agree with the sums");
        else if (!verification.skipped)
            snprintf(text, sizeof text, "%" PRIu64 " events agree with the sums",
                     verification.events);
        else
            snprintf(text, sizeof text,
                     "%" PRIu64 " events agree with the sums; %" PRIu64
                     " records of kinds that this version does not know were skipped",
                     verification.events, verification.skipped);
        verdict_tell(CHECK_GOOD, file, text);
        return tell_damage(recording) ? CHECK_GOOD : request_fail_reading(request, recording);
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
