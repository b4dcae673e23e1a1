/*
 * Output for other programs, when it goes to a terminal.
 */
#ifndef HEAPLINE_VIEWER_BASE_PRINTABLE_H
#define HEAPLINE_VIEWER_BASE_PRINTABLE_H

/* CSV, exports and what else has every name as it is are faithful in a file and in a pipe. Call
 * this before such a thing is printed: where stdout is a terminal, from then on it is a stream that
 * makes all printable (utf8.h) but the ends of lines. */
void printable_stdout(void);

#endif
