/*
 * What can stand at the cursor of a command line, for the completion of shells (completion/).
 */
#ifndef HEAPLINE_VIEWER_CLI_COMPLETION_H
#define HEAPLINE_VIEWER_CLI_COMPLETION_H

#include <stddef.h>

#include "viewer/cli/subcommand.h"

/* `words` (NULL-terminated) are those behind "heapline", the last one is the one at the cursor.
 * Prints the words that begin like it, one a line, each with a tab and what it means where that is
 * known; then one line of what else may stand there, which the shell knows better: ":recordings",
 * ":files", ":command N" (a command of its own begins with word N, "heapline" being word 0) or
 * ":nothing". */
void completion_print(const struct subcommand *const *commands, size_t command_count, char **words);

#endif
