/*
 * The options with which every view asks the same question: which moment or span, summed by what,
 * of which blocks.
 */
#ifndef HEAPLINE_VIEWER_CLI_QUERY_OPTIONS_H
#define HEAPLINE_VIEWER_CLI_QUERY_OPTIONS_H

#include "viewer/base/options.h"
#include "viewer/history/moment.h"
#include "viewer/question/query.h"

/* Their ids; a command's own are below. */
enum {
    QUERY_OPTION_AT = 1000,
    QUERY_OPTION_BETWEEN,
    QUERY_OPTION_TEMPORARY,
    QUERY_OPTION_BY,
    QUERY_OPTION_BLAME,
    QUERY_OPTION_CUMULATIVE,
    QUERY_OPTION_INCLUDE,
    QUERY_OPTION_EXCLUDE,
    QUERY_OPTION_ALLOCATOR,
    QUERY_OPTION_SIZE,
    QUERY_OPTION_PID,
    QUERY_OPTION_INHERITED,
    QUERY_OPTION_SORT,
    QUERY_OPTION_LIMIT,
};

/* Rows of a command's table of options. */
/* clang-format off */
#define QUERY_SPEC_AT                                                                              \
    {0, "at", "MOMENT",                                                                            \
     "peak (the default); selection-peak: when most was held\n"                                    \
     "of what is asked for; end: when the program's own code\n"                                    \
     "had ended; exit: when the process had, what has leaked;\n"                                   \
     "or a time from the start, 12.5s, 300ms, 2min, 80%",                                          \
     QUERY_OPTION_AT}
#define QUERY_SPEC_BETWEEN                                                                         \
    {0, "between", "FROM TO",                                                                      \
     "what was allocated between two moments and kept, and\n"                                      \
     "what was there before and freed",                                                            \
     QUERY_OPTION_BETWEEN}
#define QUERY_SPEC_TEMPORARY                                                                       \
    {0, "temporary", "[=N]",                                                                       \
     "what was freed before the same thread's next allocation,\n"                                  \
     "or its N-th next one",                                                                       \
     QUERY_OPTION_TEMPORARY}
#define QUERY_SPECS_BY                                                                              \
    {0, "by", "WHAT",                                                                              \
     "line (the default), file, function, stack, module (of\n"                                     \
     "native code the library), package, thread, allocator,\n"                                     \
     "size or process",                                                                            \
     QUERY_OPTION_BY},                                                                             \
    {0, "blame", "package|import",                                                                 \
     "by package: the one that the program called, not the\n"                                      \
     "one that allocated; or what importing each has cost",                                        \
     QUERY_OPTION_BLAME}
#define QUERY_SPECS_FILTERS                                                                        \
    {0, "include", "GLOB", "only what files that match allocated (repeatable)",                    \
     QUERY_OPTION_INCLUDE},                                                                        \
    {0, "exclude", "GLOB", "not what files that match allocated (repeatable)",                     \
     QUERY_OPTION_EXCLUDE},                                                                        \
    {0, "allocator", "NAME", "only of object, mem, raw, malloc or mmap; or of what is in\n"                                \
     "no sum unless it is asked for: file, reserved (repeatable)",                    \
     QUERY_OPTION_ALLOCATOR},                                                                      \
    {0, "size", "small|large", "only blocks of up to 512 bytes, pymalloc's; or larger ones",       \
     QUERY_OPTION_SIZE},                                                                           \
    {0, "pid", "PID", "only of this process (repeatable)", QUERY_OPTION_PID},                      \
    {0, "inherited", NULL, "also what forked children were forked with", QUERY_OPTION_INHERITED}
#define QUERY_SPEC_LIMIT                                                                           \
    {'n', "limit", "N", "so many rows, 0 for all (10)", QUERY_OPTION_LIMIT}
/* clang-format on */

/* The words that their values can be (see struct option_words). */
extern const struct option_words query_option_words[];

/* Takes one of these options. False, with a message, when its value is wrong. */
bool query_option_take(struct query *query, int option, struct options *options);

/* Do they go together? False, with a message, when not. After the last option. */
bool query_options_check(const struct query *query, const struct options *options);

/* Reads a moment; false, with a message, when `text` (may be NULL) is none. */
bool query_option_moment(const struct options *options, const char *text, struct moment *moment);

#endif
