/*
 * What the page says of a run beside its numbers by stack: the run, its processes and threads, its
 * sums, and what is not as exact or as complete as it might be.
 */
#ifndef HEAPLINE_VIEWER_HTML_PAGE_FACTS_H
#define HEAPLINE_VIEWER_HTML_PAGE_FACTS_H

#include <jansson.h>

#include "viewer/html/changes.h"
#include "viewer/html/curves.h"
#include "viewer/html/page_rows.h"

struct page_facts {
    const struct page_rows *rows;
    const struct changes *changes;
    const struct curves *curves;
    const bool *is_whole; /* by process of the recording: its history */
    json_t **settings;    /* the same: its environment, NULL where nothing is known */
};

/* Sets "run", "processes", "threads", "curves", "totals" and "limits". */
void page_facts_to_json(const struct page_facts *facts, json_t *object);

#endif
