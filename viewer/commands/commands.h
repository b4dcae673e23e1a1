/*
 * The commands of heapline that this version has.
 */
#ifndef HEAPLINE_VIEWER_COMMANDS_COMMANDS_H
#define HEAPLINE_VIEWER_COMMANDS_COMMANDS_H

#include "viewer/cli/subcommand.h"

extern const struct subcommand command_run;
extern const struct subcommand command_report;
extern const struct subcommand command_lines;
extern const struct subcommand command_tree;
extern const struct subcommand command_timeline;
extern const struct subcommand command_diff;
extern const struct subcommand command_processes;
extern const struct subcommand command_resident;
extern const struct subcommand command_html;
extern const struct subcommand command_export;
extern const struct subcommand command_check;
extern const struct subcommand command_sql;
extern const struct subcommand command_doctor;

#endif
