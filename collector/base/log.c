/*
 * Lines are put together in a buffer and leave in one write, so that several processes can share
 * the stream. What does not fit is cut.
 */
#include "collector/base/log.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define LINE_MAX_BYTES 2000u

static struct {
    bool open;
    size_t length;
    char text[LINE_MAX_BYTES + 8];
} line;

void log_open(void)
{
    line.open = true;
}

static void log_put_byte(char byte)
{
    if (line.length < LINE_MAX_BYTES)
        line.text[line.length++] = byte;
}

static void put_text(const char *text)
{
    while (*text)
        log_put_byte(*text++);
}

static bool is_plain(const char *text)
{
    if (!*text)
        return false;
    for (; *text; text++)
        if (!isalnum((unsigned char)*text) && !strchr("./:-_@,+[]", *text))
            return false;
    return true;
}

/* As it is, but for what a terminal might obey. */
static void put_printable(char byte)
{
    char escape[8];
    bool is_plain_byte = byte >= 0x20 && byte < 0x7f;
    snprintf(escape, sizeof escape, is_plain_byte ? "%c" : "\\x%02x", (unsigned char)byte);
    put_text(escape);
}

static void put_quoted(const char *text)
{
    log_put_byte('"');
    for (; *text; text++) {
        if (*text == '"' || *text == '\\')
            log_put_byte('\\');
        put_printable(*text);
    }
    log_put_byte('"');
}

static void write_line(void)
{
    line.text[line.length++] = '\n';
    ssize_t written = write(STDERR_FILENO, line.text, line.length);
    (void)written; /* nobody is left to tell */
}

void log_complain(const char *what, const char *value, const char *why)
{
    line.length = 0;
    put_text("heaplined: ");
    put_text(what);
    for (; *value; value++)
        put_printable(*value);
    put_text(why);
    write_line();
}

void log_begin(enum log_level level, const char *event)
{
    static const char *const levels[] = {"info", "warning", "error"};
    line.length = 0;
    put_text("heaplined: level=");
    put_text(levels[level]);
    log_text("event", event);
}

void log_text(const char *key, const char *value)
{
    if (!value)
        return;
    log_put_byte(' ');
    put_text(key);
    log_put_byte('=');
    if (is_plain(value))
        put_text(value);
    else
        put_quoted(value);
}

void log_number(const char *key, int64_t value)
{
    char text[24];
    snprintf(text, sizeof text, "%lld", (long long)value);
    log_text(key, text);
}

void log_end(void)
{
    if (!line.open)
        return;
    write_line();
}

bool log_limit_pass(struct log_limit *limit, uint64_t now_ns)
{
    const uint64_t costs_ns = UINT64_C(1000000000) / LOG_LINES_A_SECOND;
    if (limit->paid_ns < now_ns)
        limit->paid_ns = now_ns;
    if (limit->paid_ns > now_ns + (LOG_LINES_FREE - 1) * costs_ns) {
        if (limit->left_out++ == 0)
            limit->since_ns = now_ns;
        return false;
    }
    limit->paid_ns += costs_ns;
    return true;
}

uint64_t log_limit_sum(struct log_limit *limit, uint64_t now_ns, bool at_end)
{
    uint64_t left_out = limit->left_out;
    if (!left_out || (!at_end && now_ns - limit->since_ns < LOG_SUM_EVERY_NS))
        return 0;
    limit->left_out = 0;
    return left_out;
}
