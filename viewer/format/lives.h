/*
 * How blocks live as a text, JSON or CSV. All write to a stream of the caller's, who checks it.
 */
#ifndef HEAPLINE_VIEWER_FORMAT_LIVES_H
#define HEAPLINE_VIEWER_FORMAT_LIVES_H

#include <stdio.h>

#include "viewer/format/colour.h"
#include "viewer/question/lives.h"

void lives_print_text(FILE *stream, struct recording *recording, const struct lives *lives,
                      size_t width, struct colours colours);
void lives_print_json(FILE *stream, const struct lives *lives);
void lives_print_csv(FILE *stream, const struct lives *lives);

#endif
