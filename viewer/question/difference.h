/*
 * What changed between two answers, of two recordings or of one at two moments.
 *
 * Rows of the two are matched by what they mean, not where they stand: a line by its file, its
 * function and its text (so that a line which has moved is still itself), the n-th of equal ones in
 * a function with the n-th. One thread.
 */
#ifndef HEAPLINE_VIEWER_QUESTION_DIFFERENCE_H
#define HEAPLINE_VIEWER_QUESTION_DIFFERENCE_H

#include "viewer/question/answer.h"

/* One side: an answer with all its rows, and the recording that it is of. */
struct side {
    struct recording *recording;
    const struct answer *answer;
};

struct difference_row {
    const struct side *side; /* that `row` is of: the new one where it has the row */
    const struct row *row;
    uint64_t old_bytes, old_blocks, new_bytes, new_blocks;
};

struct difference {
    struct side sides[2]; /* old, new */
    struct difference_row *rows;
    size_t count;
};

/* Both answers must be grouped alike and have no limit. They must outlive the difference. Rows that
 * hold nothing on either side are left out; the others are in tracemalloc's order: the largest
 * change of bytes first. */
void difference_init(struct difference *difference, struct side before, struct side after);
void difference_deinit(struct difference *difference);

#endif
