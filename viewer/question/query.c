/*
 * What is asked for, and which processes and frames that is.
 *
 * Two filters look at files, and at the modules of native code: without --cumulative those of the
 * innermost frame decide whether a counted row is part of the answer at all; with it, whether a row
 * of the answer is shown, and the answer's own sum stays that of the moment.
 */
#include "viewer/question/query.h"

#include <fnmatch.h>
#include <stdlib.h>

#include "viewer/base/cleanup.h"
#include "viewer/base/memory.h"

#define LIMIT_DEFAULT 10u

const char *const group_names[] = {
    [GROUP_BY_LINE] = "line",
    [GROUP_BY_FILE] = "file",
    [GROUP_BY_FUNCTION] = "function",
    [GROUP_BY_STACK] = "stack",
    [GROUP_BY_MODULE] = "module",
    [GROUP_BY_PACKAGE] = "package",
    [GROUP_BY_THREAD] = "thread",
    [GROUP_BY_ALLOCATOR] = "allocator",
    [GROUP_BY_SIZE] = "size",
    [GROUP_BY_PROCESS] = "process",
    NULL,
};

void query_init(struct query *query)
{
    *query = (struct query){.limit = LIMIT_DEFAULT};
}

void query_deinit(struct query *query)
{
    free(query->include.patterns);
    free(query->exclude.patterns);
    free(query->pids);
}

static bool glob_matches(const char *pattern, const char *path)
{
    if (fnmatch(pattern, path, 0) == 0)
        return true;
    CLEANUP(cleanup_free) char *below = memory_print("*/%s", pattern);
    return fnmatch(below, path, 0) == 0;
}

bool globs_match(const struct globs *globs, const char *path)
{
    for (size_t i = 0; i < globs->count; i++)
        if (glob_matches(globs->patterns[i], path))
            return true;
    return false;
}

static bool globs_match_frame(const struct globs *globs, const struct frame *frame)
{
    return globs_match(globs, frame->file) ||
           (frame->module && globs_match(globs, frame->module->path));
}

/* Is what stands in this file or module asked for? */
static bool query_wants_frame(const struct query *query, const struct frame *frame)
{
    if (!frame->file)
        return query->include.count == 0;
    if (query->include.count && !globs_match_frame(&query->include, frame))
        return false;
    return !globs_match_frame(&query->exclude, frame);
}

bool query_wants_process(const struct query *query, const struct process *process)
{
    for (size_t i = 0; i < query->pid_count; i++)
        if (query->pids[i] == process->pid)
            return true;
    return query->pid_count == 0;
}

bool query_selects_blocks(const struct query *query)
{
    return query->include.count || query->exclude.count || query->allocators || query->sizes;
}

bool query_is_filtered(const struct query *query)
{
    return query_selects_blocks(query) || query->pid_count;
}

/* Neighbours are often in the same file. */
bool *query_wanted_locations(const struct query *query, const struct symbols *symbols)
{
    if (!query->include.count && !query->exclude.count)
        return NULL;
    bool *wanted = memory_new(symbols->frame_count, sizeof *wanted);
    for (size_t i = 0; i < symbols->frame_count; i++) {
        const struct frame *frame = &symbols->frames[i];
        wanted[i] =
            i && frame->file == frame[-1].file ? wanted[i - 1] : query_wants_frame(query, frame);
    }
    return wanted;
}
