/*
 * A command of heapline: what it is called, what can be asked of it, and how that is done. What
 * they have in common, to read the arguments, to print the help and to open the recording that is
 * meant, is done here for all of them; what is wrong has been said then. One thread.
 */
#ifndef HEAPLINE_VIEWER_CLI_SUBCOMMAND_H
#define HEAPLINE_VIEWER_CLI_SUBCOMMAND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "viewer/base/options.h"
#include "viewer/cli/arguments.h"
#include "viewer/question/query.h"
#include "viewer/recording/recording.h"

/* The exit statuses of viewer commands; `heapline run` has its own. */
enum {
    STATUS_GOOD = 0,
    STATUS_FAILED = 1,
    STATUS_WRONG_USAGE = 2,
};

/* What a command's arguments are that are no options, for completion. */
enum operands {
    OPERANDS_RECORDING,          /* one or two recordings */
    OPERANDS_RECORDING_AND_MORE, /* a recording, then any file */
    OPERANDS_COMMAND,            /* a command with its own arguments; options end before it */
};

#define SUBCOMMAND_FILES 2u

/* What has been asked for. */
struct request {
    const struct subcommand *subcommand;
    const char *files[SUBCOMMAND_FILES]; /* recordings; none: the newest */
    size_t file_count;
    struct query query;
    uint32_t given; /* options of the query, see request_has() */
    struct form form;
    char **command; /* of OPERANDS_COMMAND */
    void *own;      /* the command's own, zeroed at first */
    char *newest;   /* the name of what is meant where none is named */
};

/* Options are those of its table: of a query and of a form (query_options.h, arguments.h), which
 * are taken by themselves, and its own, with ids below these. */
struct subcommand {
    const char *name; /* as in messages: "heapline report" */
    const char *summary;
    const char *usage; /* begins the help; NULL: it is not in this version */
    struct option_table options;
    enum operands operands;
    size_t files_most; /* recordings among the operands; 0: operands are its own */
    size_t own_size;
    int failed; /* the status of a recording that cannot be read; 0: STATUS_FAILED */

    /* Takes one of its own options or operands. False: it is wrong. NULL: there are none. */
    bool (*take)(struct request *request, int option, struct options *options);
    /* Does all go together that has been taken, also beside --help? False: no. NULL: it does. */
    bool (*check)(struct request *request, const struct options *options);
    /* More of the help, in front of the options; NULL: there is none. */
    void (*explain)(void);

    /* One of these does it; each returns the exit status. */
    int (*show)(struct request *request, struct recording *recording); /* the one that is meant */
    int (*perform)(struct request *request);
    int (*run)(char **arguments); /* does without all of the above but the table of options */

    /* Puts away what `own` owns; NULL: nothing. */
    void (*forget)(struct request *request);
};

/* What it is called behind "heapline". */
const char *subcommand_word(const struct subcommand *subcommand);

/* Does what the arguments behind the command's name (NULL-terminated, may be changed) ask for.
 * Returns the exit status. */
int subcommand_run(const struct subcommand *subcommand, char **arguments);

/* Prints the help on stdout. */
void subcommand_help(const struct subcommand *subcommand);

/* Was an option of the query (enum in query_options.h) given? */
bool request_has(const struct request *request, int option);

/* The recording that is meant; where none was named the newest here, which is said. NULL, with a
 * message, when there is none. Valid as long as the request. */
const char *request_file(struct request *request);

/* Opens a recording and has it shown. Returns the status. */
int request_show(struct request *request, const char *file,
                 int (*show)(struct request *request, struct recording *recording));

/* The same of the two that are named, in their order. */
int request_show_both(struct request *request,
                      int (*show)(struct request *request, struct recording *before,
                                  struct recording *after));

/* Says what is wrong. Returns the status for it. */
int request_fail(const struct request *request, const char *problem);

/* The same of a recording's problem. */
int request_fail_reading(const struct request *request, const struct recording *recording);

/* The status of a command that has printed all: whether it has arrived. */
int request_finish(const struct request *request);

/* For `check`: JSON or CSV, and nothing more. */
bool request_check_form(struct request *request, const struct options *options);

#endif
