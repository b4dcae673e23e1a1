/*
 * One line is one write(), so that lines do not mix with those of the program.
 */
#include "viewer/run/message.h"

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

/* Longer lines are cut: a path or two and some words have room. */
#define LINE_BYTES_MAX 16384

static void print_line(const char *prefix, const char *format, va_list arguments)
{
    char line[LINE_BYTES_MAX];
    size_t used = (size_t)snprintf(line, sizeof line, "%s: ", prefix);
    int length = vsnprintf(line + used, sizeof line - used - 1, format, arguments);
    if (length < 0)
        return;
    used += (size_t)length < sizeof line - used - 1 ? (size_t)length : sizeof line - used - 2;
    line[used++] = '\n';
    if (write(STDERR_FILENO, line, used) < 0)
        return;
}

void run_fail(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    print_line("heapline run", format, arguments);
    va_end(arguments);
}

void run_say(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    print_line("heapline", format, arguments);
    va_end(arguments);
}
