/*
 * heapline: finds the command that is asked for.
 */
#include <stdio.h>
#include <string.h>

#include "viewer/base/closest.h"
#include "viewer/base/say.h"
#include "viewer/base/utf8.h"
#include "viewer/base/version.h"
#include "viewer/cli/command.h"
#include "viewer/cli/completion.h"

static const struct command_entry commands[] = {
    {"run", "record a command with all its Python processes", command_run, &run_options,
     OPERANDS_COMMAND},
    {"report", "how much memory, when, and which lines", command_report, &report_options,
     OPERANDS_RECORDING},
    {"lines", "the source, line by line, with what each line did", command_lines, &lines_options,
     OPERANDS_RECORDING_AND_MORE},
    {"tree", "by call path, callers above callees or inverted", command_tree, &tree_options,
     OPERANDS_RECORDING},
    {"timeline", "memory over time, drawn in the terminal", command_timeline, &timeline_options,
     OPERANDS_RECORDING},
    {"diff", "what changed between two runs, or two moments of one", command_diff, &diff_options,
     OPERANDS_RECORDING},
    {"processes", "which process started which, how each ended", command_processes,
     &processes_options, OPERANDS_RECORDING},
    {"html", "an interactive page, one file for a browser", command_html, &html_options,
     OPERANDS_RECORDING},
    {"export", "files for other programs", command_export, &export_options, OPERANDS_RECORDING},
    {.name = "live"},
    {.name = "serve"},
    {"check", "whether a recording is as it should be", command_check, &check_options,
     OPERANDS_RECORDING},
    {"sql", "the database, with every event as a row", command_sql, &sql_options,
     OPERANDS_RECORDING},
    {"doctor", "whether this machine and this Python can be traced", command_doctor,
     &doctor_options, OPERANDS_COMMAND},
};
#define COMMAND_COUNT (sizeof commands / sizeof *commands)

static void print_help(FILE *stream)
{
    fputs("Usage: heapline COMMAND [ARGUMENT...]\n"
          "       heapline --help | --version\n\n"
          "Finds out which lines of a Python program hold how much memory.\n\n"
          "Commands:\n",
          stream);
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        if (commands[i].run)
            fprintf(stream, "  %-10s %s\n", commands[i].name, commands[i].summary);
    fputs("\nNot in this version:", stream);
    const char *separator = " ";
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        if (!commands[i].run) {
            fprintf(stream, "%s%s", separator, commands[i].name);
            separator = ", ";
        }
    fputs(".\n\n'heapline COMMAND --help' explains a command. To begin:\n\n"
          "  heapline run python3 app.py\n"
          "  heapline report\n",
          stream);
}

static int fail_unknown(const char *name)
{
    struct closest closest = {.word = name};
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        if (commands[i].run)
            closest_offer(&closest, commands[i].name);
    const char *kind = *name == '-' ? "option" : "command";
    if (closest.best)
        say("heapline", "there is no %s '%s', did you mean '%s'?; see 'heapline --help'", kind,
            name, closest.best);
    else
        say("heapline", "there is no %s '%s'; see 'heapline --help'", kind, name);
    return STATUS_WRONG_USAGE;
}

static int print_on_stdout(void (*print)(FILE *stream))
{
    print(stdout);
    return fflush(stdout) == 0 ? STATUS_GOOD : STATUS_FAILED;
}

int main(int argument_count, char **arguments)
{
    utf8_init();
    if (argument_count < 2) {
        print_help(stderr);
        return STATUS_WRONG_USAGE;
    }
    const char *name = arguments[1];
    if (!strcmp(name, "--help") || !strcmp(name, "-h"))
        return print_on_stdout(print_help);
    if (!strcmp(name, "--version"))
        return print_on_stdout(version_print);
    if (!strcmp(name, "--complete")) {
        completion_print(commands, COMMAND_COUNT, arguments + 2);
        return STATUS_GOOD;
    }
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        if (strcmp(commands[i].name, name))
            continue;
        if (commands[i].run)
            return commands[i].run(arguments + 2);
        say("heapline", "'%s' is not in this version; see 'heapline --help'", name);
        return STATUS_WRONG_USAGE;
    }
    return fail_unknown(name);
}
