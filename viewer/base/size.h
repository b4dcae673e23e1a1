/*
 * Numbers as a person reads them.
 */
#ifndef HEAPLINE_VIEWER_BASE_SIZE_H
#define HEAPLINE_VIEWER_BASE_SIZE_H

#include <stdint.h>

#define SIZE_TEXT_MAX 32u

/* A short text, returned by value. */
struct size_text {
    char text[SIZE_TEXT_MAX];
};

/* A number of bytes exactly as tracemalloc prints it: 10239 B, 10.0 KiB, 100 KiB, 1.5 MiB. */
struct size_text size_format(uint64_t bytes);

/* The difference, with its sign: "+1.5 MiB", "-10 B", "+0 B". */
struct size_text size_format_change(uint64_t before, uint64_t after);

/* What each of `blocks`, at least 1, has on average. */
struct size_text size_format_average(uint64_t bytes, uint64_t blocks);

/* A part of a whole in per cent: "45.2%"; of nothing: "-". */
struct size_text share_format(uint64_t part, uint64_t whole);

/* A time of seconds: "0.250 s", "75.0 s", "12 min 5 s"; of NaN: "an unknown time". */
struct size_text seconds_format(double seconds);

/* A count: "1234". */
struct size_text count_format(uint64_t count);

#endif
