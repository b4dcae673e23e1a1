/*
 * heapline: finds the command that is asked for.
 */
#include <stdio.h>
#include <string.h>

#include "viewer/base/closest.h"
#include "viewer/base/say.h"
#include "viewer/base/utf8.h"
#include "viewer/base/version.h"
#include "viewer/cli/completion.h"
#include "viewer/commands/commands.h"

static const struct subcommand live = {.name = "heapline live"};
static const struct subcommand serve = {.name = "heapline serve"};

static const struct subcommand *const commands[] = {
    &command_run,
    &command_report,
    &command_lines,
    &command_tree,
    &command_timeline,
    &command_diff,
    &command_processes,
    &command_resident,
    &command_html,
    &command_export,
    &live,
    &serve,
    &command_check,
    &command_sql,
    &command_doctor,
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
        if (commands[i]->usage)
            fprintf(stream, "  %-10s %s\n", subcommand_word(commands[i]), commands[i]->summary);
    fputs("\nNot in this version:", stream);
    const char *separator = " ";
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        if (!commands[i]->usage) {
            fprintf(stream, "%s%s", separator, subcommand_word(commands[i]));
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
        if (commands[i]->usage)
            closest_offer(&closest, subcommand_word(commands[i]));
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
        if (strcmp(subcommand_word(commands[i]), name))
            continue;
        if (commands[i]->usage)
            return subcommand_run(commands[i], arguments + 2);
        say("heapline", "'%s' is not in this version; see 'heapline --help'", name);
        return STATUS_WRONG_USAGE;
    }
    return fail_unknown(name);
}
