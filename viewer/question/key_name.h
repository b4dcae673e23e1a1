/*
 * What the rows of a grouping are called in a text for people.
 */
#ifndef HEAPLINE_VIEWER_QUESTION_KEY_NAME_H
#define HEAPLINE_VIEWER_QUESTION_KEY_NAME_H

#include "viewer/question/grouping.h"

/* What has no frame. */
#define NAME_OF_NO_FRAME "(no Python frame)"

/* A row of a grouping that is neither by place nor by stack, escaped (utf8.h); the caller frees
 * it. */
char *name_of_key(const struct grouping *grouping, uint32_t key);

#endif
