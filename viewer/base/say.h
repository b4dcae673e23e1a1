/*
 * What heapline says on stderr: whole lines, each beginning with who says it. Names of files, words
 * of the command line and what others have written may be in them, so a line is made printable as
 * a whole (utf8.h).
 */
#ifndef HEAPLINE_VIEWER_BASE_SAY_H
#define HEAPLINE_VIEWER_BASE_SAY_H

#include <stdarg.h>

/* Prints "who: " and the text, as one line that is one write(), so that lines do not mix with those
 * of a program on the same terminal. Long lines are cut. Errors are ignored, as there is nowhere to
 * report them. Allocates nothing. */
void say(const char *who, const char *format, ...) __attribute__((format(printf, 2, 3)));
void say_list(const char *who, const char *format, va_list arguments)
    __attribute__((format(printf, 2, 0)));

#endif
