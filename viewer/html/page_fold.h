/*
 * Folding a tree of stacks: stacks that matter less lose the frames in the middle.
 *
 * A stack that is kept stays as it is. Another one becomes what is kept of its outer frames, then a
 * place that stands for what has been left out (PLACE_FOLDED), then its innermost line: so sums by
 * line stay what they are. Where even that is too much the innermost line goes too.
 */
#ifndef HEAPLINE_VIEWER_HTML_PAGE_FOLD_H
#define HEAPLINE_VIEWER_HTML_PAGE_FOLD_H

#include "viewer/html/page_tree.h"

struct page_fold {
    struct page_tree *tree; /* to fold into */
    const uint32_t *place;  /* by node of what is folded; NULL: it is `tree` */
    const bool *kept;       /* the same; with a node its parents are kept */
    uint32_t *outer;        /* the same: what is kept of its stack, a node of `tree` */
    bool keeps_lines;
};

/* What is folded has `count` nodes, or is the first so many of `tree` itself. Arrays are borrowed.
 * Needs page_fold_deinit(). */
void page_fold_init(struct page_fold *fold, struct page_tree *tree, const uint32_t *parent,
                    const uint32_t *place, const bool *kept, size_t count);
void page_fold_init_same(struct page_fold *fold, struct page_tree *tree, const bool *kept,
                         uint32_t count);
void page_fold_deinit(struct page_fold *fold);

/* What becomes of a stack. Makes the node when it is not there. */
uint32_t page_fold_node(struct page_fold *fold, uint32_t node);

#endif
