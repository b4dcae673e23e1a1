/*
 * Lines of the source files that a recording carries.
 */
#ifndef HEAPLINE_VIEWER_RECORDING_SOURCE_H
#define HEAPLINE_VIEWER_RECORDING_SOURCE_H

#include <stddef.h>
#include <stdint.h>

#include "viewer/recording/recording.h"

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

/* The same with its indentation, tabs made spaces. */
char *sources_indented_line(struct sources *sources, uint32_t file, int32_t line);

/* How many lines the file has; 0 when the recording does not carry it. */
int32_t sources_line_count(struct sources *sources, uint32_t file);

/* Where each of them begins and ends, as it is in the file; the arrays have room for all. Valid as
 * long as the sources. */
void sources_lines(struct sources *sources, uint32_t file, const char **starts, const char **ends);

/* Is there a file at `path` that says something else than what was recorded? */
bool sources_differ_from_disk(struct sources *sources, uint32_t file, const char *path);

#endif
