/*
 * Two names under which heapline run speaks.
 */
#include "viewer/run/message.h"

#include <stdarg.h>

#include "viewer/base/say.h"

void run_fail(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    say_list("heapline run", format, arguments);
    va_end(arguments);
}

void run_say(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    say_list("heapline", format, arguments);
    va_end(arguments);
}
