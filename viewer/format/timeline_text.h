/*
 * Memory over time, drawn with block characters.
 */
#ifndef HEAPLINE_VIEWER_FORMAT_TIMELINE_TEXT_H
#define HEAPLINE_VIEWER_FORMAT_TIMELINE_TEXT_H

#include <stdint.h>
#include <stdio.h>

#include "viewer/format/colour.h"

/* What is drawn: values by column, all columns equally wide in time. */
struct drawing {
    uint64_t *heap;     /* the most in the column's time */
    uint64_t *resident; /* 0: unknown */
    size_t columns;
    double seconds;   /* what all columns cover */
    double peak_time; /* NaN: none is marked */
};

/* How many columns fit into lines of `width`. */
size_t drawing_columns(size_t width);

void drawing_print(FILE *stream, const struct drawing *drawing, struct colours colours);

#endif
