/*
 * The program that stands in a Python's command line.
 */
#ifndef HEAPLINE_COLLECTOR_COMMAND_TEXT_H
#define HEAPLINE_COLLECTOR_COMMAND_TEXT_H

/* What `python -c` was given in a command line (a JSON array of its words). To be freed; null when
 * it was given nothing, or memory is short. */
char *command_text(const char *command);

#endif
