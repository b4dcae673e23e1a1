/*
 * One line is one write(), so that lines do not mix with those of the program.
 */
#include "viewer/run/message.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "viewer/cleanup.h"

void run_say(const char *format, ...)
{
    CLEANUP(cleanup_free) char *text = NULL;
    CLEANUP(cleanup_free) char *line = NULL;
    va_list arguments;
    va_start(arguments, format);
    int length = vasprintf(&text, format, arguments);
    va_end(arguments);
    if (length < 0) {
        text = NULL;
        return;
    }
    length = asprintf(&line, "heapline: %s\n", text);
    if (length < 0)
        line = NULL;
    else if (write(STDERR_FILENO, line, (size_t)length) < 0)
        return;
}
