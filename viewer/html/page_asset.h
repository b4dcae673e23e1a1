/*
 * The page without its data, as npm's tools have put it together from viewer/page; an empty text
 * where the program was built without it.
 */
#ifndef HEAPLINE_VIEWER_HTML_PAGE_ASSET_H
#define HEAPLINE_VIEWER_HTML_PAGE_ASSET_H

extern const char page_asset[];

#endif
