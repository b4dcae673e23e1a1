/*
 * Command lines as a shell would need them, escaped (utf8.h); the caller frees them.
 */
#ifndef HEAPLINE_VIEWER_RECORDING_COMMAND_LINE_H
#define HEAPLINE_VIEWER_RECORDING_COMMAND_LINE_H

#include <jansson.h>

char *name_of_word(const char *word);

/* Of an array of words. */
char *name_of_command(const json_t *command);

#endif
