/*
 * What the arguments of several commands have in common.
 */
#ifndef HEAPLINE_VIEWER_CLI_ARGUMENTS_H
#define HEAPLINE_VIEWER_CLI_ARGUMENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "viewer/base/options.h"

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

/* Takes the option's value as a process id and puts it behind the others. False, with a message,
 * when it is none. */
bool arguments_pid(const struct options *options, int64_t **pids, size_t *count);

/* Takes the option's value as a number of rows. False, with a message, when it is none. */
bool arguments_limit(const struct options *options, size_t *limit);

#endif
