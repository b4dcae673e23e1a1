/*
 * The commands of heapline. Each is a function that takes the arguments after the command's name
 * (NULL-terminated, may be changed) and returns the exit status.
 */
#ifndef HEAPLINE_VIEWER_CLI_COMMAND_H
#define HEAPLINE_VIEWER_CLI_COMMAND_H

#include "viewer/base/options.h"

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
    OPERANDS_COMMAND,            /* a command with its own arguments */
};

struct command_entry {
    const char *name;
    const char *summary;
    int (*run)(char **arguments); /* NULL: not in this version */
    const struct option_table *options;
    enum operands operands;
};

extern const struct option_table run_options;
extern const struct option_table report_options;
extern const struct option_table lines_options;
extern const struct option_table tree_options;
extern const struct option_table timeline_options;
extern const struct option_table diff_options;
extern const struct option_table processes_options;
extern const struct option_table html_options;
extern const struct option_table export_options;
extern const struct option_table check_options;
extern const struct option_table sql_options;
extern const struct option_table doctor_options;

int command_doctor(char **arguments);
int command_run(char **arguments);
int command_processes(char **arguments);
int command_report(char **arguments);
int command_lines(char **arguments);
int command_diff(char **arguments);
int command_export(char **arguments);
int command_html(char **arguments);
int command_check(char **arguments);
int command_sql(char **arguments);
int command_timeline(char **arguments);
int command_tree(char **arguments);

#endif
