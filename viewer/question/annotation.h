/*
 * What each line of a program's source did with memory.
 *
 * A line is a line of a file, whatever functions stand on it (a comprehension, a lambda). "With
 * callees" is what was allocated while the line was on the stack at any level; a stack counts once
 * for a line, also in a recursion. What a line of Python has allocated itself is also what native
 * code has that it called; that code's lines have it too.
 */
#ifndef HEAPLINE_VIEWER_QUESTION_ANNOTATION_H
#define HEAPLINE_VIEWER_QUESTION_ANNOTATION_H

#include "viewer/question/answer.h"

struct line_figures {
    struct row with_callees; /* at the moment, or of the span, and allocated in all */
    struct row own;          /* the same without callees */
    struct row at_end;       /* with callees, at the end of the program */
    struct row temporary;    /* own, freed before the thread's next allocation */
};

/* Figures by key; keys are in the order of files and lines. */
struct annotation {
    struct answer answer; /* its grouping says what the keys are */
    struct line_figures *lines;
    size_t count;
};

/* False, with a problem in the recording. Needs annotation_deinit() in either case. */
bool annotation_init(struct annotation *annotation, struct recording *recording,
                     const struct query *query);
void annotation_deinit(struct annotation *annotation);

static inline const struct frame *annotation_frame(const struct annotation *annotation, size_t key)
{
    return grouping_frame(&annotation->answer.grouping, (uint32_t)key);
}

#endif
