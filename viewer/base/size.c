/*
 * Sizes, shares and times in words.
 *
 * Sizes follow CPython's tracemalloc._format_size() to the letter, so that numbers can be compared
 * with its own: divide by 1024 until the value is below 100 (one decimal place, not for bytes) or
 * below 10 * 1024 (none), or the units run out. Values are held as doubles there too.
 */
#include "viewer/base/size.h"

#include <inttypes.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static struct size_text format_bytes(const char *sign, double value)
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    const size_t last = sizeof units / sizeof *units - 1;
    struct size_text result;
    for (size_t unit = 0;; unit++, value /= 1024) {
        if (value < 100 && unit > 0)
            snprintf(result.text, sizeof result.text, "%s%.1f %s", sign, value, units[unit]);
        else if (value < 10 * 1024 || unit == last)
            snprintf(result.text, sizeof result.text, "%s%.0f %s", sign, value, units[unit]);
        else
            continue;
        return result;
    }
}

struct size_text size_format(uint64_t bytes)
{
    return format_bytes("", (double)bytes);
}

struct size_text size_format_change(uint64_t before, uint64_t after)
{
    bool less = after < before;
    return format_bytes(less ? "-" : "+", (double)(less ? before - after : after - before));
}

struct size_text size_format_average(uint64_t bytes, uint64_t blocks)
{
    return format_bytes("", (double)bytes / (double)blocks);
}

struct size_text share_format(uint64_t part, uint64_t whole)
{
    struct size_text result = {"-"};
    if (whole)
        snprintf(result.text, sizeof result.text, "%.1f%%", 100.0 * (double)part / (double)whole);
    return result;
}

struct size_text seconds_format(double seconds)
{
    struct size_text result = {"an unknown time"};
    if (isnan(seconds))
        return result;
    double minutes = floor(seconds / 60);
    if (seconds < 10)
        snprintf(result.text, sizeof result.text, "%.3f s", seconds);
    else if (minutes < 2)
        snprintf(result.text, sizeof result.text, "%.1f s", seconds);
    else
        snprintf(result.text, sizeof result.text, "%.0f min %.0f s", minutes,
                 floor(seconds - minutes * 60));
    return result;
}

struct size_text count_format(uint64_t count)
{
    struct size_text result;
    snprintf(result.text, sizeof result.text, "%" PRIu64, count);
    return result;
}
