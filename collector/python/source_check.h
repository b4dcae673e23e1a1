/*
 * Can a text be what a code object was compiled from?
 *
 * A code object says the name of a file. Which file that is, or was, it does not say: a frozen
 * program names files without their folder, a template names itself and counts the lines of what
 * was made of it, and files are changed while programs run. What a code object does say is looked
 * for in the text: its name, where it begins, and on which lines it has instructions.
 */
#ifndef HEAPLINE_COLLECTOR_SOURCE_CHECK_H
#define HEAPLINE_COLLECTOR_SOURCE_CHECK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "collector/python/code_list.h"

struct source_text {
    const char *text; /* borrowed */
    size_t bytes;
    uint32_t *starts; /* of each line, and one more for the end */
    bool *is_blank;   /* by line, from 0 */
    uint32_t line_count;
};

/* False when memory is short. Needs source_text_deinit() in either case. */
bool source_text_init(struct source_text *source, const char *text, size_t bytes);
void source_text_deinit(struct source_text *source);

/* False: it is another text, or another state of it. `path` says which language it is in. */
bool source_fits(const struct source_text *source, const char *path, const struct codes *codes,
                 const struct code *code);

/* The same of the regular file `path`, as seen from the folder `root` (root_file.h). True where it
 * cannot be read or is too long. */
bool source_file_fits(int root, const char *path, const struct codes *codes,
                      const struct code *code);

#endif
