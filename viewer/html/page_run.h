/*
 * One recording as the page carries it: an object as schema/page_format.h describes it.
 */
#ifndef HEAPLINE_VIEWER_HTML_PAGE_RUN_H
#define HEAPLINE_VIEWER_HTML_PAGE_RUN_H

#include <jansson.h>
#include <stdbool.h>

#include "viewer/question/query.h"
#include "viewer/recording/recording.h"

/* How much of the page one recording may take. */
enum page_share {
    PAGE_WHOLE,
    PAGE_HALF,
};

/* `query` chooses the processes, says about inherited memory and which allocations are temporary,
 * and names the moments that must be edges. NULL, with a problem in the recording, when it is
 * damaged. The caller's. */
json_t *page_run_to_json(struct recording *recording, const struct query *query,
                         enum page_share share);

#endif
