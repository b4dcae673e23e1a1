/*
 * The interactive page: one file that needs nothing else.
 */
#ifndef HEAPLINE_VIEWER_HTML_PAGE_H
#define HEAPLINE_VIEWER_HTML_PAGE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "viewer/html/page_run.h"

/* Was this program built with the page? */
bool page_is_there(void);

/* The data of one recording, or of two that are compared. `query` says what opens first, and what
 * page_run_to_json() needs. NULL, with a problem in one of the recordings, when it is damaged. The
 * caller's. */
json_t *page_data(struct recording *const *recordings, size_t count, const struct query *query);

/* Writes the page with its data. */
void page_write(FILE *stream, const json_t *data);

#endif
