/*
 * Lines of the source files that a recording carries.
 */
#ifndef HEAPLINE_VIEWER_SOURCE_H
#define HEAPLINE_VIEWER_SOURCE_H

#include <stddef.h>
#include <stdint.h>

#include "viewer/recording.h"

/* The texts that have been asked for, by file id. One thread. */
struct sources {
    struct recording *recording;
    struct source_text {
        char *text;
        size_t size;
        bool asked;
    } * files;
};

/* `recording` must outlive the sources. */
void sources_init(struct sources *sources, struct recording *recording);
void sources_deinit(struct sources *sources);

/* A line of a file (the first is 1) as clean UTF-8 without the white space around it; NULL when
 * the recording does not carry it. The caller frees it. A source that is damaged is like one that
 * is not there: the numbers do not depend on it. */
char *sources_line(struct sources *sources, uint32_t file, int32_t line);

#endif
