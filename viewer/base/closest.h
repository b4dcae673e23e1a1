/*
 * "Did you mean …?": the word of a list that is nearest to one that was mistyped.
 */
#ifndef HEAPLINE_VIEWER_BASE_CLOSEST_H
#define HEAPLINE_VIEWER_BASE_CLOSEST_H

#include <stddef.h>

/* Remembers the best candidate so far. Start with {.word = the mistyped one}. */
struct closest {
    const char *word;
    const char *best; /* NULL: none is near; belongs to whoever offered it */
    size_t distance;
};

void closest_offer(struct closest *closest, const char *candidate);

#endif
