/*
 * The tree of stacks as the page has it: small enough for a page, whatever the recording has.
 *
 * A node is (parent, place); a place is a line of a function, or one of two that are none. Node 0
 * is the empty stack. Parents are smaller than their children. One thread.
 */
#ifndef HEAPLINE_VIEWER_HTML_PAGE_TREE_H
#define HEAPLINE_VIEWER_HTML_PAGE_TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "viewer/html/index.h"

enum {
    PLACE_NONE,   /* no Python frame */
    PLACE_FOLDED, /* frames that have been left out */
    PLACE_FIRST,  /* lines begin here */
};

struct page_tree {
    uint32_t *parent, *place;
    uint32_t count;
    struct index children;
};

/* Needs page_tree_deinit(). Begins with the empty stack. */
void page_tree_init(struct page_tree *tree);
void page_tree_deinit(struct page_tree *tree);

/* The node with this parent and place; it is made when it is not there. */
uint32_t page_tree_child(struct page_tree *tree, uint32_t parent, uint32_t place);

#endif
