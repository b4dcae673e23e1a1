/*
 * Libraries whose functions are shown without their names, and why.
 */
#ifndef HEAPLINE_VIEWER_FORMAT_MISSING_NAMES_H
#define HEAPLINE_VIEWER_FORMAT_MISSING_NAMES_H

#include "viewer/question/answer.h"

/* Of the rows of an answer by line, function, file or stack: the modules that have a note and of
 * which something is shown that lacks its name, at most `most` in the order of the rows. Returns
 * how many there are in all. */
size_t missing_names(const struct answer *answer, const struct module **modules, size_t most);

#endif
