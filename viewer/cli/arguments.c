/*
 * Reading the common arguments.
 */
#include "viewer/cli/arguments.h"

#include <stdio.h>

#include "viewer/base/cleanup.h"
#include "viewer/base/memory.h"
#include "viewer/base/printable.h"
#include "viewer/base/say.h"
#include "viewer/cli/command.h"
#include "viewer/cli/newest.h"

const char *arguments_recording(const char *command, const char *given, char **newest)
{
    if (given)
        return given;
    *newest = newest_recording();
    if (*newest)
        say(command, "%s", *newest);
    else
        say(command,
            "no *.heapline in this folder; name a recording or make one with heapline run");
    return *newest;
}

bool form_option_take(struct form *form, int option)
{
    switch (option) {
    case FORM_OPTION_JSON:
        return form->json = true;
    case FORM_OPTION_CSV:
        return form->csv = true;
    case FORM_OPTION_NO_COLOR:
        return form->no_color = true;
    case FORM_OPTION_HELP:
        return form->help = true;
    default:
        return false;
    }
}

bool form_check(const struct form *form, const struct options *options)
{
    if (form->json && form->csv)
        return options_wrong(options, "--json or --csv, not both"), false;
    if (form->csv)
        printable_stdout();
    return true;
}

bool arguments_read(struct options *options, arguments_taker *take, void *request)
{
    for (int option; (option = options_next(options)) != OPTIONS_END;)
        if (option == OPTIONS_WRONG || !take(request, option, options))
            return false;
    return true;
}

int arguments_show(const char *command, const char *given, arguments_shower *show, void *request)
{
    CLEANUP(cleanup_free) char *newest = NULL;
    const char *file = arguments_recording(command, given, &newest);
    return file ? show(request, file) : STATUS_FAILED;
}

int arguments_fail(const char *command, const char *problem)
{
    say(command, "%s", problem);
    return STATUS_FAILED;
}

int arguments_finish(const char *command)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return STATUS_GOOD;
    return arguments_fail(command, "it could not be written completely; is the disk full?");
}

bool arguments_pid(const struct options *options, int64_t **pids, size_t *count)
{
    int64_t pid;
    if (!options_number(options->value, 1, INT32_MAX, &pid)) {
        options_wrong(options, "--pid needs a number, not '%s'", options->value);
        return false;
    }
    *pids = memory_resize(*pids, *count + 1, sizeof **pids);
    (*pids)[(*count)++] = pid;
    return true;
}

bool arguments_limit(const struct options *options, size_t *limit)
{
    int64_t number;
    if (!options_number(options->value, 0, INT32_MAX, &number)) {
        options_wrong(options, "--limit needs a number, not '%s'", options->value);
        return false;
    }
    *limit = (size_t)number;
    return true;
}

bool arguments_operand(const struct options *options, const char **file)
{
    if (*file) {
        options_wrong(options, "one recording at a time, and not also '%s'", options->value);
        return false;
    }
    *file = options->value;
    return true;
}
