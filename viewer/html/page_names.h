/*
 * What the page calls things: files with their packages and modules, functions, and the places that
 * its rows stand at. Names that are too long for a page are cut, and say so. One thread.
 */
#ifndef HEAPLINE_VIEWER_HTML_PAGE_NAMES_H
#define HEAPLINE_VIEWER_HTML_PAGE_NAMES_H

#include <jansson.h>

#include "viewer/html/bytes.h"
#include "viewer/html/page_rows.h"

#define PAGE_NO_FILE UINT32_MAX

struct page_names {
    uint32_t *page_place; /* by place: its number on the page */
    uint32_t *places;     /* of the page: the recording's, PLACE_FIRST and up */
    uint32_t place_count; /* PLACE_FIRST and the lines */
    uint32_t *page_file;  /* by file of the recording; PAGE_NO_FILE: none of the page's */
    uint32_t *files;      /* of the page: the recording's */
    uint32_t file_count;
    const char **functions; /* sorted, each one once */
    uint32_t function_count;
    const char **modules; /* paths, sorted, each one once */
    uint32_t module_count;
    size_t name_max; /* characters of a name */
};

/* Collects what the tree's nodes are called. Needs page_names_deinit(). The rows must outlive it.
 */
void page_names_init(struct page_names *names, const struct page_rows *rows);
void page_names_deinit(struct page_names *names);

/* "files", "functions" and "modules", as schema/page_format.h says. */
void page_names_to_json(const struct page_names *names, const struct page_rows *rows,
                        json_t *object);

/* The places, as schema/page_format.h says. */
void page_names_put(const struct page_names *names, const struct page_rows *rows,
                    struct bytes *bytes);

/* A text of at most so many bytes: as it is, or its two ends and how much is left out between them.
 * The caller frees it. */
char *page_text_cut(const char *text, size_t most);

#endif
