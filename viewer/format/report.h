/*
 * An answer as a report: a text for people, JSON or CSV for programs.
 *
 * All write to a stream of the caller's, who checks it for errors.
 */
#ifndef HEAPLINE_VIEWER_FORMAT_REPORT_H
#define HEAPLINE_VIEWER_FORMAT_REPORT_H

#include <jansson.h>
#include <stdio.h>

#include "viewer/format/colour.h"
#include "viewer/question/answer.h"

/* `recording` is the one that was asked; source lines are read from it. */
void report_print_text(FILE *stream, struct recording *recording, const struct answer *answer,
                       size_t width, struct colours colours);

/* What reports in JSON have in common: what is known of the run and its processes, and the totals.
 */
json_t *report_outer_to_json(const struct answer *answer);

/* One object, in the order of the manual page. */
void report_print_json(FILE *stream, const struct answer *answer);

/* A line of names and then a line a row; values quoted where they must be. */
void report_print_csv(FILE *stream, const struct answer *answer);

/* The first `limit` (0: all) of an answer by line, file or stack that has no limit itself, each as
 * str() of a tracemalloc.Statistic. */
void report_print_tracemalloc(FILE *stream, const struct answer *answer, size_t limit);

#endif
