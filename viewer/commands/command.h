/*
 * The commands of heapline. Each is a function that takes the arguments after the command's name
 * (NULL-terminated, may be changed) and returns the exit status.
 */
#ifndef HEAPLINE_VIEWER_COMMANDS_COMMAND_H
#define HEAPLINE_VIEWER_COMMANDS_COMMAND_H

/* The exit statuses of viewer commands; `heapline run` has its own. */
enum {
    STATUS_GOOD = 0,
    STATUS_FAILED = 1,
    STATUS_WRONG_USAGE = 2,
};

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
