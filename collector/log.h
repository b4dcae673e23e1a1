/*
 * The daemon's log: one line an event on stderr, "key=value key=value", made for journald and grep.
 * Values with anything but plain characters are quoted, and what is no printable ASCII in them is
 * escaped, for they come from peers. Without log_open() nothing is written.
 */
#ifndef HEAPLINE_COLLECTOR_LOG_H
#define HEAPLINE_COLLECTOR_LOG_H

#include <stdint.h>

enum log_level {
    LOG_LEVEL_INFO,
    LOG_LEVEL_WARNING,
    LOG_LEVEL_ERROR,
};

void log_open(void);

/* What heaplined says on stderr before there is a log, or where there is none: "heaplined: ", and
 * the three one behind the other. `value` comes from elsewhere; what is no printable ASCII in it is
 * escaped. */
void log_complain(const char *what, const char *value, const char *why);

/* The beginning of a line, its pairs, its end. One thread. */
void log_begin(enum log_level level, const char *event);
void log_text(const char *key, const char *value); /* null: left out */
void log_number(const char *key, int64_t value);
void log_end(void);

#endif
