/*
 * What a row stands for, as people read it in a table.
 */
#ifndef HEAPLINE_VIEWER_FORMAT_ROW_TEXT_H
#define HEAPLINE_VIEWER_FORMAT_ROW_TEXT_H

#include "viewer/format/table.h"
#include "viewer/question/grouping.h"
#include "viewer/recording/source.h"

/* A row's name in at most `width` columns where it is a place; of a stack its innermost frame. The
 * caller frees it. */
char *row_name(const struct grouping *grouping, uint32_t key, size_t width);

/* The row's line of source as a further line of the table, where it is one and is known. */
void row_print_source(const struct table *table, struct sources *sources,
                      const struct grouping *grouping, uint32_t key);

#endif
