/*
 * A tree of stacks made small enough for another program: the heaviest nodes are kept, and what the
 * rest weighs stands with the nearest node above that is.
 */
#ifndef HEAPLINE_VIEWER_QUESTION_FOLD_H
#define HEAPLINE_VIEWER_QUESTION_FOLD_H

#include "viewer/question/answer.h"

/* How large it may be: nodes with their remainders, and frames of all their stacks. */
struct fold_limits {
    size_t nodes, frames;
};

/* By stack; keys are those of the answer's grouping. */
struct fold {
    uint64_t *totals; /* by key: what the stack and all that it leads to weigh */
    uint32_t *depths; /* by key */
    uint32_t *stands; /* by key: itself when it is kept, else the nearest above that is */
    uint32_t *kept;   /* keys, the heaviest first, callers before what they call */
    size_t kept_count;
};

/* What of a row is weighed. */
typedef uint64_t fold_weight(const struct row *row);

/* `answer` is by stack and without a limit. Sums must fit into 64 bits, as those of bytes do. */
void fold_init(struct fold *fold, const struct answer *answer, fold_weight *weight,
               const struct fold_limits *limits);
void fold_deinit(struct fold *fold);

#endif
