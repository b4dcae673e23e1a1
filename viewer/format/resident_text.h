/*
 * In a line: why a process was larger than its heap.
 */
#ifndef HEAPLINE_VIEWER_FORMAT_RESIDENT_TEXT_H
#define HEAPLINE_VIEWER_FORMAT_RESIDENT_TEXT_H

#include "viewer/recording/surveys.h"

/* What a row of a survey is called; the caller frees it. Of libraries and other files that many
 * have the name is left out. */
char *resident_row_text(const struct survey_row *row);

/* Are all rows of the kind one row to people? */
bool resident_is_summed(enum resident_kind kind);

/* A path without its folders. */
const char *resident_short_name(const char *path);

/* Of the process that had most resident, when a third of that or more was no block: what it was, in
 * a sentence without its stop. NULL: it was less, or is not known. The caller frees it. */
char *resident_summary(struct recording *recording);

#endif
