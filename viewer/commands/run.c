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
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "viewer/cleanup.h"
#include "viewer/commands/command.h"
#include "viewer/options.h"
#include "viewer/run/collector.h"
#include "viewer/run/command.h"
#include "viewer/run/locate.h"
#include "viewer/run/message.h"
#include "viewer/run/name.h"
#include "viewer/run/summary.h"
#include "viewer/run/supervise.h"

/* More levels than a recorded stack can have. */
#define FRAMES_MAX 1000000

enum {
    OPTION_OUTPUT = 1,
    OPTION_FORCE,
    OPTION_QUIET,
    OPTION_OVERFLOW,
    OPTION_FRAMES,
    OPTION_NO_HISTORY,
    OPTION_NO_CHILDREN,
    OPTION_HELP,
};

static const struct option_spec specs[] = {
    {'o', "output", "FILE", "the recording (NAME.PID.heapline in this folder)", OPTION_OUTPUT},
    {'f', "force", NULL, "replace FILE when it exists", OPTION_FORCE},
    {'q', "quiet", NULL, "no summary at the end", OPTION_QUIET},
    {0, "overflow", "block|drop",
     "what a program does that finds the collector behind:\n"
     "wait for it (the default), or drop and count events",
     OPTION_OVERFLOW},
    {0, "max-frames", "N", "keep the innermost N frames of a stack (all)", OPTION_FRAMES},
    {0, "no-children", NULL, "record the command's own process alone", OPTION_NO_CHILDREN},
    {0, "no-history", NULL,
     "keep sums alone and not every event: a smaller file, in\n"
     "which moments other than peak, end and exit are coarse",
     OPTION_NO_HISTORY},
    {'h', "help", NULL, "print this", OPTION_HELP},
};
#define SPEC_COUNT (sizeof specs / sizeof *specs)

static const char *const overflow_names[] = {"block", "drop", NULL};

struct run_request {
    const char *output; /* NULL: made up */
    const char *overflow;
    const char *frames_max;
    bool force, quiet, no_history, no_children, help;
    char **command;
};

static int print_help(void)
{
    fputs("Usage: heapline run [OPTION...] [--] COMMAND [ARG...]\n\n"
          "Runs COMMAND and records every allocation of its Python processes with their stacks.\n"
          "Ends as COMMAND ends; with 125, 126 or 127 when heapline fails, COMMAND cannot be run,\n"
          "or is not found.\n",
          stdout);
    options_help(stdout, specs, SPEC_COUNT);
    return fflush(stdout) == 0 ? 0 : RUN_FAILED;
}

static bool take_option(struct run_request *request, int option, const struct options *options)
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
        .spec_count = SPEC_COUNT,
        .arguments = arguments,
        .stop_at_operand = true,
    };
    for (int option; (option = options_next(&options)) != OPTIONS_END;)
        if (!take_option(request, option, &options))
            return false;
    request->command = options.arguments;
    if (!*request->command && !request->help) {
        options_wrong(&options, "no command to run");
        return false;
    }
    return true;
}

/* Opens /dev/null for those of the three standard streams that are closed, until exec: otherwise
 * our own descriptors would take their places. */
static void occupy_standard_streams(void)
{
    int descriptor;
    do
        descriptor = open("/dev/null", O_RDWR | O_CLOEXEC);
    while (descriptor >= 0 && descriptor <= STDERR_FILENO);
    cleanup_close(&descriptor);
}

/* Everything that one run needs. */
struct run {
    struct locations locations;
    struct signals signals;
    char address[COLLECTOR_ADDRESS_MAX];
    struct command command;
    struct collector collector;
};

/* Brings command and collector into being. False, with a message, when something is missing. */
static bool run_prepare(struct run *run, struct run_request *request, char **name)
{
    if (!locate(&run->locations))
        return false;
    if (!signals_init(&run->signals) || !collector_address(run->address)) {
        run_fail("cannot begin: %s", strerror(errno));
        return false;
    }
    struct command_plan plan = {
        .words = request->command,
        .signals = &run->signals,
        .address = run->address,
        .shim = run->locations.shim,
    };
    if (!command_fork(&run->command, &plan))
        return false;
    if (!request->output)
        request->output = *name = name_recording(request->command, run->command.pid);
    struct collector_plan collector_plan = {
        .program = run->locations.collector,
        .address = run->address,
        .output = request->output,
        .force = request->force,
        .overflow = request->overflow,
        .frames_max = request->frames_max,
        .no_history = request->no_history,
        .no_children = request->no_children,
        .command = request->command,
    };
    if (request->output && collector_start(&run->collector, &collector_plan))
        return true;
    command_cancel(&run->command);
    return false;
}

/* Removes the recording and what SQLite may have left beside it. */
static void remove_recording(const char *file)
{
    static const char *const suffixes[] = {"", "-wal", "-shm", "-journal"};
    for (size_t i = 0; i < sizeof suffixes / sizeof *suffixes; i++) {
        char path[PATH_MAX];
        if (snprintf(path, sizeof path, "%s%s", file, suffixes[i]) < (int)sizeof path)
            unlink(path);
    }
}

/* The command could not be executed: takes back the file. */
static int run_undo(struct run *run, const struct run_request *request, int number)
{
    char trouble[CONTROL_TEXT_MAX];
    int status = number == ENOENT ? RUN_NOT_FOUND : RUN_CANNOT_EXECUTE;
    collector_finish(&run->collector, &run->signals, W_EXITCODE(status, 0), trouble);
    remove_recording(request->output);
    run_fail("cannot run '%s': %s", request->command[0], strerror(number));
    return status;
}

/* Waits for the recording and says what there is to say. */
static void run_conclude(struct run *run, const struct run_request *request, int wait_status)
{
    char trouble[CONTROL_TEXT_MAX];
    switch (collector_finish(&run->collector, &run->signals, wait_status, trouble)) {
    case COLLECTOR_DONE:
        if (*trouble)
            run_say("not everything was recorded: %s", trouble);
        break;
    case COLLECTOR_DIED:
        run_say("the collector ended unexpectedly, the recording is incomplete");
        break;
    case COLLECTOR_SILENT:
        run_say("the collector (process %d) is still writing %s; look at it later",
                (int)run->collector.pid, request->output);
        return;
    }
    if (!request->quiet)
        summary_print(request->output, trouble);
}

int command_run(char **arguments)
{
    struct run_request request = {0};
    if (!read_request(&request, arguments))
        return RUN_FAILED;
    if (request.help)
        return print_help();
    occupy_standard_streams();
    struct run run;
    CLEANUP(cleanup_free) char *name = NULL;
    if (!run_prepare(&run, &request, &name))
        return RUN_FAILED;
    collector_tell_started(&run.collector, run.command.pid);
    int number = command_execute(&run.command);
    if (number)
        return run_undo(&run, &request, number);
    int wait_status = supervise(run.command.pid, &run.signals);
    run_conclude(&run, &request, wait_status);
    die_alike(wait_status);
}
