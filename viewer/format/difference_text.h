/*
 * Differences as tracemalloc prints them.
 */
#ifndef HEAPLINE_VIEWER_FORMAT_DIFFERENCE_TEXT_H
#define HEAPLINE_VIEWER_FORMAT_DIFFERENCE_TEXT_H

#include <stdio.h>

#include "viewer/question/difference.h"

/* The first `limit` rows, a line each as str() of a tracemalloc.StatisticDiff, then what was left
 * out and the total. */
void difference_print_text(FILE *stream, const struct difference *difference, size_t limit);

#endif
