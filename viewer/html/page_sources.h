/*
 * The source that the page shows: whole files where they fit, of the others the surroundings of the
 * lines that count, the files that matter most first. One thread.
 */
#ifndef HEAPLINE_VIEWER_HTML_PAGE_SOURCES_H
#define HEAPLINE_VIEWER_HTML_PAGE_SOURCES_H

#include <stddef.h>

#include "viewer/html/bytes.h"
#include "viewer/html/page_names.h"
#include "viewer/html/page_rows.h"

/* Writes them as schema/page_format.h says, in not much more than `most` bytes. */
void page_sources_put(const struct page_rows *rows, const struct page_names *names, size_t most,
                      struct bytes *bytes);

#endif
