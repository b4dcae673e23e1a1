/*
 * What frames, views and libraries are called in a text for people. All results are escaped
 * (utf8.h) and freed by the caller.
 */
#ifndef HEAPLINE_VIEWER_FORMAT_NAMES_H
#define HEAPLINE_VIEWER_FORMAT_NAMES_H

#include "viewer/question/query.h"

/* A place in the source in at most `width` columns: path:line function, without the parts that the
 * grouping leaves out, the path relative to the run's folder where it is below that. By module: the
 * name of the library without its folder, where no other one has it. */
char *name_of_frame(const struct recording *recording, const struct frame *frame, enum group_by by,
                    size_t width);

/* The same for the tools of others, who want the function first: function (file:line), whole paths;
 * without the line where there is none, in native code without it. */
char *name_of_code(const struct frame *frame);

/* What a query shows of a recording: "At the peak", "After 1.20 s", "Leaked". */
char *name_of_view(struct recording *recording, const struct query *query);

/* The name of a library without its folder, where two have the same its path. */
char *name_of_module(const struct symbols *symbols, const struct module *module);

#endif
