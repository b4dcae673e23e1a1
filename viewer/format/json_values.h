/*
 * Members of JSON objects.
 */
#ifndef HEAPLINE_VIEWER_FORMAT_JSON_VALUES_H
#define HEAPLINE_VIEWER_FORMAT_JSON_VALUES_H

#include <jansson.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>

/* For JSON_REAL_PRECISION(): microseconds after a month of running, and no noise of binary
 * fractions. */
#define JSON_SECONDS_DIGITS 13

/* NULL gives null. */
static inline void json_put_text(json_t *object, const char *key, const char *text)
{
    json_object_set_new(object, key, text ? json_string(text) : json_null());
}

static inline void json_put_count(json_t *object, const char *key, uint64_t count)
{
    json_object_set_new(object, key, json_integer((json_int_t)count));
}

/* NaN gives null. */
static inline void json_put_seconds(json_t *object, const char *key, double seconds)
{
    json_object_set_new(object, key, isnan(seconds) ? json_null() : json_real(seconds));
}

/* As json_dumpf(), and control characters and what else is unruly (utf8.h) are escapes: JSON is the
 * same wherever it goes, also to a terminal. */
void json_write(const json_t *value, FILE *stream, size_t flags);

/* Prints a value that is a file of its own, and lets go of it. */
void json_print_file(FILE *stream, json_t *value);

/* Prints a value of any kind without any space, and lets go of it: for what is too large to be held
 * as one. */
void json_print(FILE *stream, json_t *value);

/* What every JSON output begins with: {"format", "version"}. */
json_t *json_about(void);

#endif
