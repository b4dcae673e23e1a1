/*
 * A line is put together, made printable and written. Nothing that runs before stderr has been
 * looked at is in between: utf8_init() has chosen the locale.
 */
#include "viewer/base/say.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "viewer/base/utf8.h"

/* A path or two and some words have room. */
#define TEXT_BYTES_MAX 12288
#define LINE_BYTES_MAX (TEXT_BYTES_MAX + TEXT_BYTES_MAX / 2)

void say_list(const char *who, const char *format, va_list arguments)
{
    char text[TEXT_BYTES_MAX], line[LINE_BYTES_MAX];
    size_t used = (size_t)snprintf(text, sizeof text, "%s: ", who);
    if (used >= sizeof text || vsnprintf(text + used, sizeof text - used, format, arguments) < 0)
        return;
    char *out = line;
    const char *end = text + strlen(text);
    for (const char *at = text; at < end && out + UTF8_ESCAPE_MAX < line + sizeof line;)
        out = utf8_put_printable(out, &at, end);
    *out++ = '\n';
    if (write(STDERR_FILENO, line, (size_t)(out - line)) < 0)
        return;
}

void say(const char *who, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    say_list(who, format, arguments);
    va_end(arguments);
}
