/*
 * The daemon's log: one line an event on stderr, "key=value key=value", made for journald and grep.
 * Values with anything but plain characters are quoted, and what is no printable ASCII in them is
 * escaped, for they come from peers. Without log_open() nothing is written.
 */
#ifndef HEAPLINE_COLLECTOR_LOG_H
#define HEAPLINE_COLLECTOR_LOG_H

#include <stdbool.h>
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

/* For lines that others can cause: so many at once, then so many a second. The others are counted.
 * Zeroed memory is a limit that nothing has come up to. */
#define LOG_LINES_FREE     32u
#define LOG_LINES_A_SECOND 1u
#define LOG_SUM_EVERY_NS   UINT64_C(10000000000)

struct log_limit {
    uint64_t paid_ns;  /* until then all lines so far are paid for */
    uint64_t left_out; /* lines */
    uint64_t since_ns; /* when the first of them was */
};

/* May a line be written at this time (CLOCK_MONOTONIC)? When not it is counted as left out. */
bool log_limit_pass(struct log_limit *limit, uint64_t now_ns);

/* How many were left out, when it is time to say so; 0: it is not, or none. Time it is
 * LOG_SUM_EVERY_NS after the first of them, or at the end. */
uint64_t log_limit_sum(struct log_limit *limit, uint64_t now_ns, bool at_end);

#endif
