/*
 * heapline run: records a command.
 *
 * In this order: the command's process is forked, as its process id is part of the recording's
 * name; the collector is started and makes the file; only then the command is executed. Until then
 * every failure is heapline's own (125) and leaves nothing behind; a command that cannot be
 * executed (126, 127) takes its file with it. From then on the command's end is heapline's end:
 * whatever fails is said on stderr and the status is passed on.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "viewer/base/cleanup.h"
#include "viewer/base/null.h"
#include "viewer/base/version.h"
#include "viewer/commands/commands.h"
#include "viewer/history/moment.h"
#include "viewer/run/collector.h"
#include "viewer/run/command.h"
#include "viewer/run/daemon.h"
#include "viewer/run/locate.h"
#include "viewer/run/message.h"
#include "viewer/run/name.h"
#include "viewer/run/summary.h"
#include "viewer/run/supervise.h"
#include "viewer/run/witness.h"

/* More levels than a recorded stack can have. */
#define FRAMES_MAX 1000000
/* A year. */
#define WAIT_SECONDS_MAX 31536000

enum {
    OPTION_OUTPUT = 1,
    OPTION_FORCE,
    OPTION_QUIET,
    OPTION_OVERFLOW,
    OPTION_FRAMES,
    OPTION_NO_HISTORY,
    OPTION_NO_CHILDREN,
    OPTION_NATIVE,
    OPTION_DEBUGINFOD,
    OPTION_CARRIER,
    OPTION_DAEMON,
    OPTION_SESSION,
    OPTION_WAIT,
    OPTION_FOR,
    OPTION_RESIDENT,
    OPTION_HELP,
};

/* Looks at what is resident: not more often, and not more seldom. */
#define RESIDENT_MS_MIN      100u
#define RESIDENT_SECONDS_MAX 86401

static const struct option_spec specs[] = {
    {'o', "output", "FILE", "the recording (NAME.PID.heapline in this folder)", OPTION_OUTPUT},
    {'f', "force", NULL, "replace FILE when it exists", OPTION_FORCE},
    {'q', "quiet", NULL, "no summary at the end", OPTION_QUIET},
    {0, "overflow", "block|drop",
     "what a program does that finds the collector behind:\n"
     "wait for it (the default), or drop and count events",
     OPTION_OVERFLOW},
    {0, "max-frames", "N", "keep the innermost N frames of a stack (all)", OPTION_FRAMES},
    {0, "wait", NULL,
     "follow what goes on when the command has ended (a daemon)\n"
     "until the last of it has ended, or an interrupt comes",
     OPTION_WAIT},
    {0, "for", "TIME", "the same, for so long at most (30s, 5m, 2h)", OPTION_FOR},
    {0, "no-children", NULL, "record the command's own process alone", OPTION_NO_CHILDREN},
    {0, "no-history", NULL,
     "keep sums alone and not every event: a smaller file, in\n"
     "which moments other than peak, end and exit are coarse",
     OPTION_NO_HISTORY},
    {0, "resident", "every T",
     "look at all that is resident each so often (5s, 500ms),\n"
     "for 'heapline resident'; at the end and near the peak it is\n"
     "looked at anyway",
     OPTION_RESIDENT},
    {0, "native", NULL, "frames of C, C++, Rust, Fortran too, among those of Python",
     OPTION_NATIVE},
    {0, "debuginfod", NULL,
     "--native, and debug information that is not here is asked\n"
     "of the servers in DEBUGINFOD_URLS",
     OPTION_DEBUGINFOD},
    {0, "carrier", "ring|stream",
     "how events travel: through shared memory (the default),\n"
     "or over a socket, where that cannot be shared",
     OPTION_CARRIER},
    {0, "daemon", "ADDRESS",
     "let the daemon at unix:PATH or tcp:HOST:PORT record, which\n"
     "chooses the file",
     OPTION_DAEMON},
    {0, "session", "NAME", "with --daemon: join the recording NAME", OPTION_SESSION},
    {'h', "help", NULL, "print this", OPTION_HELP},
};

static const char *const carrier_names[] = {"ring", "stream", NULL};
static const char *const overflow_names[] = {"block", "drop", NULL};

struct run_request {
    const char *output; /* NULL: made up */
    const char *overflow;
    const char *frames_max;
    const char *daemon; /* NULL: none */
    const char *session;
    bool streams; /* --carrier=stream */
    bool native, debuginfod;
    bool force, quiet, no_history, no_children, waits, help;
    int64_t wait_seconds; /* 0: however long it takes */
    uint32_t resident_ms; /* 0: not asked for */
    char **command;
};

static int print_help(void)
{
    subcommand_help(&command_run);
    return fflush(stdout) == 0 ? 0 : RUN_FAILED;
}

/* A whole number of seconds (s, or no unit), minutes or hours; at least one second. */
static bool read_seconds(const char *text, int64_t *seconds)
{
    static const struct {
        char letter;
        int64_t seconds;
    } units[] = {{'s', 1}, {'m', 60}, {'h', 3600}};
    char digits[16] = "";
    size_t length = strspn(text, "0123456789");
    int64_t unit = text[length] ? 0 : 1;
    for (size_t i = 0; text[length] && i < sizeof units / sizeof *units; i++)
        if (text[length] == units[i].letter && !text[length + 1])
            unit = units[i].seconds;
    if (!unit || length >= sizeof digits)
        return false;
    memcpy(digits, text, length);
    if (!options_number(digits, 1, WAIT_SECONDS_MAX / unit, seconds))
        return false;
    *seconds *= unit;
    return true;
}

/* "every T", in one word or two, or T alone. */
static bool take_resident(struct run_request *request, struct options *options)
{
    static const char every[] = "every";
    const char *text = options->value;
    if (!strcmp(text, every) && *options->arguments)
        text = *options->arguments++;
    else if (!strncmp(text, every, strlen(every)))
        text += strlen(every);
    text += strspn(text, " ");
    int64_t seconds;
    struct moment moment = {0};
    bool is_whole = read_seconds(text, &seconds);
    if (!is_whole && moment_parse(text, &moment) && moment.kind == MOMENT_TIME && !moment.is_share)
        request->resident_ms =
            moment.value < RESIDENT_SECONDS_MAX ? (uint32_t)(moment.value * 1000) : 0;
    else if (is_whole && seconds < RESIDENT_SECONDS_MAX)
        request->resident_ms = (uint32_t)seconds * 1000;
    if (request->resident_ms >= RESIDENT_MS_MIN)
        return true;
    options_wrong(options, "--resident=every needs a time from 100ms to 24h, such as 5s, not '%s'",
                  text);
    return false;
}

static bool take_option(struct run_request *request, int option, struct options *options)
{
    int64_t number;
    switch (option) {
    case OPTION_OUTPUT:
        request->output = options->value;
        if (strcmp(request->output, "-") && *request->output)
            return true;
        return options_wrong(options, "a recording can only be written to a named file"), false;
    case OPTION_FORCE:
        return request->force = true;
    case OPTION_QUIET:
        return request->quiet = true;
    case OPTION_OVERFLOW:
        request->overflow = options->value;
        if (options_choice(overflow_names, options->value) >= 0)
            return true;
        return options_wrong(options, "--overflow is block or drop, not '%s'", options->value),
               false;
    case OPTION_FRAMES:
        request->frames_max = options->value;
        if (options_number(options->value, 1, FRAMES_MAX, &number))
            return true;
        return options_wrong(options, "--max-frames needs a number from 1 on, not '%s'",
                             options->value),
               false;
    case OPTION_NO_HISTORY:
        return request->no_history = true;
    case OPTION_NO_CHILDREN:
        return request->no_children = true;
    case OPTION_WAIT:
        return request->waits = true;
    case OPTION_FOR:
        request->waits = true;
        if (read_seconds(options->value, &request->wait_seconds))
            return true;
        return options_wrong(options, "--for needs a time such as 30s, 5m or 2h, not '%s'",
                             options->value),
               false;
    case OPTION_RESIDENT:
        return take_resident(request, options);
    case OPTION_NATIVE:
        return request->native = true;
    case OPTION_DEBUGINFOD:
        return request->native = request->debuginfod = true;
    case OPTION_CARRIER:
        request->streams = options_choice(carrier_names, options->value) == 1;
        if (options_choice(carrier_names, options->value) >= 0)
            return true;
        return options_wrong(options, "--carrier is ring or stream, not '%s'", options->value),
               false;
    case OPTION_DAEMON:
        request->daemon = options->value;
        return true;
    case OPTION_SESSION:
        request->session = options->value;
        return true;
    case OPTION_HELP:
        return request->help = true;
    default:
        return false;
    }
}

static bool read_request(struct run_request *request, char **arguments)
{
    struct options options = {
        .command = "heapline run",
        .specs = specs,
        .spec_count = sizeof specs / sizeof *specs,
        .arguments = arguments,
        .stop_at_operand = true,
    };
    for (int option; (option = options_next(&options)) != OPTIONS_END;)
        if (!take_option(request, option, &options))
            return false;
    request->command = options.arguments;
    if (request->daemon && (request->output || request->force)) {
        options_wrong(&options, "with --daemon the daemon chooses the file; leave --output and "
                                "--force out");
        return false;
    }
    if (request->daemon && request->debuginfod) {
        options_wrong(&options, "the daemon asks for debug information when it was started with "
                                "heaplined --debuginfod; leave --debuginfod out");
        return false;
    }
    if (request->session && !request->daemon) {
        options_wrong(&options, "--session is a recording of a daemon; give --daemon too");
        return false;
    }
    if (!*request->command && !request->help) {
        options_wrong(&options, "no command to run");
        return false;
    }
    return true;
}

/* The shim could not read native frames; the command runs all the same. */
static void do_without_libunwind(struct run_request *request)
{
    if (!request->native || version_has_library(VERSION_LIBUNWIND))
        return;
    run_say("libunwind 8 is missing (Debian: libunwind8): native frames are not recorded");
    request->native = false;
}

/* Opens nothing (null.h) for those of the three standard streams that are closed, until exec:
 * otherwise our own descriptors would take their places. */
static void occupy_standard_streams(void)
{
    int descriptor;
    do
        descriptor = null_open();
    while (descriptor >= 0 && descriptor <= STDERR_FILENO);
    cleanup_close(&descriptor);
}

/* Everything that one run needs. */
struct run_parts {
    struct locations locations;
    struct signals signals;
    char key[COLLECTOR_KEY_MAX];
    char address[ADDRESS_TEXT_MAX + 1];
    char command_address[ADDRESS_TEXT_MAX + 1]; /* the same, as the command is told */
    struct command command;
    struct witness witnesses[WITNESS_POSTS];
    struct collector collector;
};

/* With a stream, what is asked for at a Unix socket is another carrier. */
static bool set_carrier(char told[ADDRESS_TEXT_MAX + 1], const char *address, bool streams)
{
    bool changes = streams && strncmp(address, "unix:", strlen("unix:")) == 0;
    int length = snprintf(told, ADDRESS_TEXT_MAX + 1, "%s%s", changes ? "unix-stream" : "",
                          changes ? address + strlen("unix") : address);
    if (length <= (int)ADDRESS_TEXT_MAX)
        return true;
    run_fail("the address of the daemon is too long: %s", address);
    return false;
}

static void dismiss_witnesses(struct run_parts *run)
{
    for (int post = 0; post < WITNESS_POSTS; post++)
        witness_stop(&run->witnesses[post]);
}

/* Brings command and collector into being. False, with a message, when something is missing. */
static bool run_prepare(struct run_parts *run, struct run_request *request, char **name)
{
    if (!locations_find(&run->locations))
        return false;
    if (!signals_init(&run->signals) || !collector_key(run->key) ||
        !collector_address(run->address)) {
        run_fail("cannot begin: %s", strerror(errno));
        return false;
    }
    if (request->daemon && !daemon_resolve(request->daemon, run->address))
        return false;
    if (!set_carrier(run->command_address, run->address, request->streams))
        return false;
    struct command_plan plan = {
        .words = request->command,
        .signals = &run->signals,
        .address = run->command_address,
        .key = run->key,
        .session = request->session,
        .native = request->native,
        .shim = run->locations.shim,
    };
    if (!command_fork(&run->command, &plan))
        return false;
    for (int post = 0; post < WITNESS_POSTS; post++)
        witness_start(&run->witnesses[post], (enum witness_post)post, request->command);
    if (request->daemon)
        *name = name_program(request->command);
    else if (!request->output)
        request->output = *name = name_recording(request->command, run->command.pid);
    struct collector_plan collector_plan = {
        .is_daemon = request->daemon,
        .program = run->locations.collector,
        .address = run->address,
        .key = run->key,
        .session = request->session,
        .name = *name,
        .pid = run->command.pid,
        .output = request->output,
        .force = request->force,
        .overflow = request->overflow,
        .frames_max = request->frames_max,
        .no_history = request->no_history,
        .no_children = request->no_children,
        .resident_ms = request->resident_ms,
        .debuginfod = request->debuginfod,
        .waits = request->waits,
        .wait_seconds = (int)request->wait_seconds,
        .command = request->command,
    };
    if ((request->output || *name) && collector_start(&run->collector, &collector_plan)) {
        if (request->daemon)
            request->output = run->collector.file;
        return true;
    }
    dismiss_witnesses(run);
    command_cancel(&run->command);
    return false;
}

/* The command could not be executed: takes back the file. */
static int run_undo(struct run_parts *run, const struct run_request *request, int number)
{
    int status = number == ENOENT ? RUN_NOT_FOUND : RUN_CANNOT_EXECUTE;
    dismiss_witnesses(run);
    collector_undo(&run->collector, &run->signals);
    run_fail("cannot run '%s': %s", request->command[0], strerror(number));
    return status;
}

/* What the programs have said of themselves need not be said once more to who wants to hear little.
 */
static bool is_told(const struct collector *collector, bool quiet)
{
    return collector->told == CONTROL_TOLD_BY_COLLECTOR ||
           (collector->told == CONTROL_TOLD_BY_PROGRAMS && quiet);
}

/* Waits for the recording and says what there is to say. */
static void run_conclude(struct run_parts *run, const struct run_request *request, int wait_status)
{
    char trouble[CONTROL_TEXT_MAX];
    struct progress progress;
    progress_init(&progress, "heapline run");
    if (request->session) { /* it goes on */
        if (!request->quiet)
            run_say("recorded in the daemon's %s", request->output);
        return;
    }
    switch (collector_finish(&run->collector, &run->signals, wait_status, trouble,
                             request->quiet ? NULL : &progress)) {
    case COLLECTOR_DONE:
        if (*trouble && !is_told(&run->collector, request->quiet))
            run_say("not everything was recorded: %s", trouble);
        break;
    case COLLECTOR_GONE:
        run_say("the recording is no longer in %s: %s", request->output, trouble);
        return;
    case COLLECTOR_DIED:
        run_say("the collector ended unexpectedly, the recording is incomplete");
        break;
    case COLLECTOR_KILLED:
        run_say("the collector was killed for want of memory (OOM), before the command would have "
                "been; the recording is incomplete");
        break;
    case COLLECTOR_SILENT:
        run_say("the collector (process %d) is still writing %s; look at it later",
                (int)run->collector.pid, request->output);
        return;
    }
    if (request->quiet)
        return;
    if (!request->daemon || access(request->output, R_OK) == 0)
        summary_print(request->output, trouble);
    else
        run_say("recorded by the daemon in its %s", request->output);
}

static int run_command(char **arguments)
{
    struct run_request request = {0};
    if (!read_request(&request, arguments))
        return RUN_FAILED;
    if (request.help)
        return print_help();
    occupy_standard_streams();
    do_without_libunwind(&request);
    struct run_parts run;
    CLEANUP(cleanup_free) char *name = NULL;
    if (!run_prepare(&run, &request, &name))
        return RUN_FAILED;
    collector_tell_started(&run.collector, run.command.pid);
    int number = command_execute(&run.command);
    if (number)
        return run_undo(&run, &request, number);
    int wait_status = command_supervise(run.command.pid, &run.signals, run.witnesses);
    dismiss_witnesses(&run);
    run_conclude(&run, &request, wait_status);
    die_alike(wait_status);
}

const struct subcommand command_run = {
    .name = "heapline run",
    .summary = "record a command with all its Python processes",
    .usage =
        "Usage: heapline run [OPTION...] [--] COMMAND [ARG...]\n\n"
        "Runs COMMAND and records every allocation of its Python processes with their stacks.\n"
        "Ends as COMMAND ends; with 125, 126 or 127 when heapline fails, COMMAND cannot be run,\n"
        "or is not found.\n",
    .options = OPTION_TABLE(specs, NULL),
    .operands = OPERANDS_COMMAND,
    .run = run_command,
};
