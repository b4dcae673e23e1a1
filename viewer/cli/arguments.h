/*
 * What the arguments of several commands have in common.
 */
#ifndef HEAPLINE_VIEWER_CLI_ARGUMENTS_H
#define HEAPLINE_VIEWER_CLI_ARGUMENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "viewer/base/options.h"

/* The recording that is meant: `given`, or when that is NULL the newest here, whose name goes to
 * stderr and into *newest, the caller's to free. NULL, with a message, when there is none. */
const char *arguments_recording(const char *command, const char *given, char **newest);

/* How an answer is printed: what the commands that print one have in common. */
struct form {
    bool json, csv, no_color, help;
};

/* The ids of its options; a command's own are below. */
enum {
    FORM_OPTION_JSON = 2000,
    FORM_OPTION_CSV,
    FORM_OPTION_NO_COLOR,
    FORM_OPTION_HELP,
};

/* Rows of a command's table of options. */
#define FORM_SPEC_JSON(text)                                                                       \
    {                                                                                              \
        0, "json", NULL, text, FORM_OPTION_JSON                                                    \
    }
#define FORM_SPEC_CSV(text)                                                                        \
    {                                                                                              \
        0, "csv", NULL, text, FORM_OPTION_CSV                                                      \
    }
#define FORM_SPEC_NO_COLOR                                                                         \
    {                                                                                              \
        0, "no-color", NULL, "no colour on a terminal either", FORM_OPTION_NO_COLOR                \
    }
#define FORM_SPEC_HELP                                                                             \
    {                                                                                              \
        'h', "help", NULL, "print this", FORM_OPTION_HELP                                          \
    }

/* Takes one of these options; false when it is none of them. */
bool form_option_take(struct form *form, int option);

/* JSON or CSV, not both? False, with a message, when not. After the last option and before anything
 * is printed: CSV on a terminal is made printable. */
bool form_check(const struct form *form, const struct options *options);

/* Takes one option or operand into a command's request. False: it was wrong, and that has been
 * said. */
typedef bool arguments_taker(void *request, int option, struct options *options);

/* Reads all arguments, one after the other. False as above. */
bool arguments_read(struct options *options, arguments_taker *take, void *request);

/* Shows the recording `file`; returns the command's status. */
typedef int arguments_shower(void *request, const char *file);

/* Shows the recording that is meant (see arguments_recording()). Returns the status. */
int arguments_show(const char *command, const char *given, arguments_shower *show, void *request);

/* What a command has to say about a problem; returns STATUS_FAILED. */
int arguments_fail(const char *command, const char *problem);

/* The status of a command that has printed all: whether it has arrived. */
int arguments_finish(const char *command);

/* Takes the option's value as a process id and puts it behind the others. False, with a message,
 * when it is none. */
bool arguments_pid(const struct options *options, int64_t **pids, size_t *count);

/* Takes the option's value as a number of rows. False, with a message, when it is none. */
bool arguments_limit(const struct options *options, size_t *limit);

/* Takes the operand just returned as the recording, of which there may be one. */
bool arguments_operand(const struct options *options, const char **file);

#endif
