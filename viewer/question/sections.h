/*
 * Which parts of the program's source are shown line by line: those that are named, or the files
 * whose lines hold most. One thread.
 */
#ifndef HEAPLINE_VIEWER_QUESTION_SECTIONS_H
#define HEAPLINE_VIEWER_QUESTION_SECTIONS_H

#include "viewer/question/annotation.h"
#include "viewer/recording/source.h"

/* A part of a file: keys of the annotation from `first` to before `end`. */
struct section {
    const struct frame *frame; /* any of the file */
    size_t first, end;
    int32_t first_line, last_line; /* of a function; 0: the whole file */
    uint64_t own;                  /* bytes held */
};

struct sections {
    struct section *list; /* the caller frees it */
    size_t count;
};

/* Adds what is called FILE, or FILE:FUNCTION, the ends of their names being enough. False: no such
 * line has allocated anything. */
bool sections_add_named(struct sections *sections, const struct annotation *annotation,
                        const char *name);

/* Where there are none: the `most` hottest files, Python's first, the program's own before any. */
void sections_add_hottest(struct sections *sections, const struct annotation *annotation,
                          struct sources *sources, size_t most);

/* Is the line, of the section's file, part of it? */
static inline bool section_has(const struct section *section, int32_t line)
{
    return !section->first_line || (line >= section->first_line && line <= section->last_line);
}

/* A line's figures; NULL when it has none. */
const struct line_figures *section_figures(const struct section *section,
                                           const struct annotation *annotation, int32_t line);

#endif
