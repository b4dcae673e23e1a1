/*
 * Members of JSON objects.
 */
#ifndef HEAPLINE_VIEWER_FORMAT_JSON_VALUES_H
#define HEAPLINE_VIEWER_FORMAT_JSON_VALUES_H

#include <jansson.h>
#include <stdint.h>

/* NULL gives null. */
static inline void json_put_text(json_t *object, const char *key, const char *text)
{
    json_object_set_new(object, key, text ? json_string(text) : json_null());
}

static inline void json_put_count(json_t *object, const char *key, uint64_t count)
{
    json_object_set_new(object, key, json_integer((json_int_t)count));
}

/* What every JSON output begins with: {"format", "version"}. */
json_t *json_about(void);

#endif
