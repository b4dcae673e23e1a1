/*
 * A question to a recording: which rows held how much at which moment.
 *
 *   moment    what a block must have been alive at (moment.h)
 *   span      two moments: what was allocated between them and still there at the second, and what
 *             was there at the first and freed before the second
 *   grouping  what the blocks are summed by
 *   frame     a line of a function in a stack
 *
 * One thread.
 */
#ifndef HEAPLINE_VIEWER_QUESTION_QUERY_H
#define HEAPLINE_VIEWER_QUESTION_QUERY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "allocators.h"
#include "chunk.h"
#include "viewer/history/moment.h"
#include "viewer/question/grouping.h"
#include "viewer/question/selection.h"
#include "viewer/recording/recording.h"

/* What the user calls groupings, by their numbers; NULL ends the list. */
extern const char *const group_names[];

/* A list of words from the command line. */
struct globs {
    const char **patterns; /* the array is owned, the words are not */
    size_t count;
};

/* Which blocks, by their size. Those that pymalloc has for itself are the small ones. */
enum block_sizes { SIZES_ALL, SIZES_SMALL, SIZES_LARGE };
#define SIZES_SMALL_MAX 512u

struct query {
    struct moment at;
    bool between;
    struct moment from, to; /* when between; `at` is not used then */
    enum group_by by;
    uint32_t temporary; /* not 0: the allocations freed before the thread's so manieth next one, of
                         * the whole run; `at` is not used then */
    enum blame blame;   /* by package, or source line */
    bool lifetimes;     /* also asks how long blocks lived; not cumulative */
    bool inherited;     /* also what forked children were forked with */
    bool no_peak;       /* the totals' peak is not needed, nor any moment called so */
    bool cumulative; /* a row counts the stacks in which it stands anywhere; by line, file, function
                      * or module */
    enum sort sort;
    size_t limit; /* of rows, 0: none */
    enum block_sizes sizes;
    unsigned allocators; /* 1 << enum wire_allocator, 0: those that count (allocators.h) */
    struct globs include;
    struct globs exclude;
    int64_t *pids; /* owned; none: all */
    size_t pid_count;
};

/* What defaults are: by line at the peak, ten rows. Zeroed memory but for the limit. */
void query_init(struct query *query);
void query_deinit(struct query *query);

/* Does a file's path match one of the patterns (fnmatch; `*` matches slashes too), either as a
 * whole or without leading folders? */
bool globs_match(const struct globs *globs, const char *path);

/* Does what this allocator gave count for the answer? */
static inline bool query_counts(const struct query *query, unsigned allocator)
{
    return (query->allocators ? query->allocators : ALLOCATORS_COUNTED) >> allocator & 1;
}

/* Does the counter, by its allocator and its blocks' size? */
static inline bool query_counts_row(const struct query *query, const struct counter_row *counter)
{
    bool is_small = counter->size_class <= size_class_of(SIZES_SMALL_MAX);
    return query_counts(query, counter->allocator) &&
           (!query->sizes || is_small == (query->sizes == SIZES_SMALL));
}

/* Is a part of the blocks of a process asked for? */
bool query_selects_blocks(const struct query *query);

/* Is not all asked for that there was at its moment? */
bool query_is_filtered(const struct query *query);

/* Is the process one of those that are asked for? */
bool query_wants_process(const struct query *query, const struct process *process);

/* By location: is it in a file or module that is asked for? The caller frees the array; NULL: all
 * are. */
bool *query_wanted_locations(const struct query *query, const struct symbols *symbols);

#endif
