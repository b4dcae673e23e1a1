/*
 * glibc's stdout is a variable, so everything that prints need not know. A character whose bytes
 * come in two parts waits for its end.
 */
#include "viewer/base/printable.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "viewer/base/utf8.h"

#define PART_BYTES 1024u

static struct {
    char bytes[UTF8_CHARACTER_MAX];
    size_t count;
} begun; /* of the last character */

static bool write_all(const char *bytes, size_t count)
{
    while (count) {
        ssize_t written = write(STDOUT_FILENO, bytes, count);
        if (written < 0)
            return false;
        bytes += written;
        count -= (size_t)written;
    }
    return true;
}

static bool write_part(const char *bytes, size_t count)
{
    char in[PART_BYTES + UTF8_CHARACTER_MAX], out[sizeof in * UTF8_ESCAPE_MAX], *to = out;
    memcpy(in, begun.bytes, begun.count);
    memcpy(in + begun.count, bytes, count);
    const char *at = in, *end = in + begun.count + count;
    while (at < end && !utf8_is_cut(at, end)) {
        if (*at == '\n')
            *to++ = *at++;
        else
            to = utf8_put_printable(to, &at, end);
    }
    begun.count = (size_t)(end - at);
    memcpy(begun.bytes, at, begun.count);
    return write_all(out, (size_t)(to - out));
}

static ssize_t write_printable(void *cookie, const char *bytes, size_t count)
{
    (void)cookie;
    for (size_t done = 0; done < count;) {
        size_t part = count - done < PART_BYTES ? count - done : PART_BYTES;
        if (!write_part(bytes + done, part))
            return 0;
        done += part;
    }
    return (ssize_t)count;
}

void printable_stdout(void)
{
    static const cookie_io_functions_t functions = {.write = write_printable};
    if (!isatty(STDOUT_FILENO))
        return;
    FILE *stream = fopencookie(NULL, "w", functions);
    if (stream)
        stdout = stream;
}
