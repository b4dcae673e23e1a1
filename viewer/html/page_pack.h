/*
 * The packed members of a run, as schema/page_format.h describes them.
 */
#ifndef HEAPLINE_VIEWER_HTML_PAGE_PACK_H
#define HEAPLINE_VIEWER_HTML_PAGE_PACK_H

#include "viewer/html/bytes.h"
#include "viewer/html/changes.h"
#include "viewer/html/curves.h"
#include "viewer/html/page_names.h"
#include "viewer/html/page_rows.h"

void page_pack_tree(struct bytes *bytes, const struct page_rows *rows,
                    const struct page_names *names);

/* Puts the deaths in order. */
void page_pack_history(struct bytes *bytes, struct changes *changes, const struct curves *curves);

#endif
