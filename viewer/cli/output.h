/*
 * Files that commands write for other programs: whole, or not at all.
 */
#ifndef HEAPLINE_VIEWER_CLI_OUTPUT_H
#define HEAPLINE_VIEWER_CLI_OUTPUT_H

#include <stdbool.h>
#include <stdio.h>

/* Writes the contents; false when it could not, and has said so. Whether they have arrived is
 * looked at later. */
typedef bool output_writer(void *context, FILE *stream);

/* Would it be written over a recording that is read? Then that has been said. */
bool output_is(const char *command, const char *path, const char *recording);

/* Writes the file at `path`, "-" being standard output. A regular file that could not be written as
 * a whole is removed. Returns the command's status, having said what was wrong. */
int output_write(const char *command, const char *path, output_writer *writer, void *context);

#endif
