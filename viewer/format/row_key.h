/*
 * What a row stands for, as programs read it.
 */
#ifndef HEAPLINE_VIEWER_FORMAT_ROW_KEY_H
#define HEAPLINE_VIEWER_FORMAT_ROW_KEY_H

#include <jansson.h>
#include <stdio.h>

#include "viewer/question/grouping.h"

/* Puts the members that the grouping tells apart into the object. */
void row_key_to_json(json_t *object, const struct grouping *grouping, uint32_t key);

/* The columns of a grouping's keys, "file,line,function", and a key's values in them. */
const char *row_key_titles(enum group_by by);
void row_key_to_csv(FILE *stream, const struct grouping *grouping, uint32_t key);

#endif
