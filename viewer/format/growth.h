/*
 * Leak suspects as a text, JSON or CSV. All write to a stream of the caller's, who checks it.
 */
#ifndef HEAPLINE_VIEWER_FORMAT_GROWTH_H
#define HEAPLINE_VIEWER_FORMAT_GROWTH_H

#include <stdio.h>

#include "viewer/format/colour.h"
#include "viewer/question/growth.h"

/* The first `limit` suspects; 0: all. */
void growth_print_text(FILE *stream, struct recording *recording, const struct growth *growth,
                       size_t limit, size_t width, struct colours colours);
void growth_print_json(FILE *stream, const struct growth *growth, size_t limit);
void growth_print_csv(FILE *stream, const struct growth *growth, size_t limit);

#endif
