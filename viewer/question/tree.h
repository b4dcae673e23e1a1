/*
 * What was held, by call path: a tree of branches whose numbers add up.
 *
 * Every branch holds what was allocated while its path was on the stack: its own part (nothing
 * deeper was called), its children, and what has been folded because it was too little to show.
 *
 *   from above   the outermost frame first, children are what was called
 *   inverted     the innermost frame first, children are callers
 *   function     only stacks in which it stands; callees from its outermost call down, callers from
 *                there up, so that a recursion counts once
 */
#ifndef HEAPLINE_VIEWER_QUESTION_TREE_H
#define HEAPLINE_VIEWER_QUESTION_TREE_H

#include "viewer/question/answer.h"

struct branch {
    const struct frame *frame; /* NULL: the root */
    struct row total, own, folded;
    size_t folded_count;
    struct branch *children; /* most bytes first */
    size_t child_count;
};

enum tree_direction {
    TREE_FROM_ABOVE,
    TREE_INVERTED,
    TREE_CALLEES,
    TREE_CALLERS,
};

struct tree {
    struct branch root;
    struct row whole; /* of the answer; the root's total is less when a function is chosen */
};

/* `answer` is by stack and without a limit. `function` is for callees and callers: the name or, of
 * a qualified name, its end. Branches of less than `least` (a part of the root, 0 to 1) are
 * folded. */
void tree_init(struct tree *tree, const struct answer *answer, enum tree_direction direction,
               const char *function, double least);
void tree_deinit(struct tree *tree);

#endif
