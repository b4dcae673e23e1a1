/*
 * Reading the options of a question.
 */
#include "viewer/cli/query_options.h"

#include <string.h>

#include "viewer/base/memory.h"
#include "viewer/cli/arguments.h"

/* Each free looks so far back. */
#define TEMPORARY_MAX 1000

const struct option_words query_option_words[] = {
    {QUERY_OPTION_AT, moment_names, NULL}, {QUERY_OPTION_BETWEEN, moment_names, NULL},
    {QUERY_OPTION_BY, group_names, NULL},  {QUERY_OPTION_ALLOCATOR, allocator_names, NULL},
    {QUERY_OPTION_SORT, sort_names, NULL}, {0},
};

static bool take_choice(const struct options *options, const char *name, const char *const *choices,
                        int *choice)
{
    *choice = options_choice(choices, options->value);
    if (*choice >= 0)
        return true;
    options_wrong(options, "--%s '%s' is not one of its values", name, options->value);
    return false;
}

static void take_glob(struct globs *globs, const char *pattern)
{
    globs->patterns = memory_room(globs->patterns, globs->count, sizeof *globs->patterns);
    globs->patterns[globs->count++] = pattern;
}

bool query_option_moment(const struct options *options, const char *text, struct moment *moment)
{
    if (text && moment_parse(text, moment))
        return true;
    options_wrong(options,
                  "'%s' is no moment: peak, end, exit, a time like 12.5s or a share like 80%%",
                  text ? text : "");
    return false;
}

/* The second moment is an argument of its own. */
static bool take_between(struct query *query, struct options *options)
{
    if (!query_option_moment(options, options->value, &query->from))
        return false;
    if (!*options->arguments) {
        options_wrong(options, "--between needs two moments, FROM and TO");
        return false;
    }
    query->between = true;
    return query_option_moment(options, *options->arguments++, &query->to);
}

static bool take_size(struct query *query, const struct options *options)
{
    static const char *const names[] = {
        [SIZES_ALL] = "", [SIZES_SMALL] = "small", [SIZES_LARGE] = "large", NULL};
    int choice;
    if (!take_choice(options, "size", names, &choice))
        return false;
    query->sizes = (enum block_sizes)choice;
    return true;
}

static bool take_blame(struct query *query, const struct options *options)
{
    static const char *const names[] = {
        [BLAME_NONE] = "", [BLAME_CALLED] = "package", [BLAME_IMPORT] = "import", NULL};
    int choice;
    if (!take_choice(options, "blame", names, &choice))
        return false;
    query->by = GROUP_BY_PACKAGE;
    query->blame = (enum blame)choice;
    return true;
}

static bool take_temporary(struct query *query, const struct options *options)
{
    int64_t number = 1;
    if (options->value && !options_number(options->value, 1, TEMPORARY_MAX, &number)) {
        options_wrong(options, "--temporary needs a number from 1 to %d, not '%s'", TEMPORARY_MAX,
                      options->value);
        return false;
    }
    query->temporary = (uint32_t)number;
    return true;
}

/* The options whose value is one of a list. */
static bool take_word(struct query *query, int option, const struct options *options)
{
    int choice;
    switch (option) {
    case QUERY_OPTION_BY:
        if (!take_choice(options, "by", group_names, &choice))
            return false;
        query->by = (enum group_by)choice;
        return true;
    case QUERY_OPTION_SORT:
        if (!take_choice(options, "sort", sort_names, &choice))
            return false;
        query->sort = (enum sort)choice;
        return true;
    default:
        if (!take_choice(options, "allocator", allocator_names, &choice))
            return false;
        query->allocators |= 1u << choice;
        return true;
    }
}

bool query_option_take(struct query *query, int option, struct options *options)
{
    switch (option) {
    case QUERY_OPTION_AT:
        return query_option_moment(options, options->value, &query->at);
    case QUERY_OPTION_BETWEEN:
        return take_between(query, options);
    case QUERY_OPTION_BLAME:
        return take_blame(query, options);
    case QUERY_OPTION_SIZE:
        return take_size(query, options);
    case QUERY_OPTION_TEMPORARY:
        return take_temporary(query, options);
    case QUERY_OPTION_CUMULATIVE:
        query->cumulative = true;
        return true;
    case QUERY_OPTION_INCLUDE:
        take_glob(&query->include, options->value);
        return true;
    case QUERY_OPTION_EXCLUDE:
        take_glob(&query->exclude, options->value);
        return true;
    case QUERY_OPTION_PID:
        return arguments_pid(options, &query->pids, &query->pid_count);
    case QUERY_OPTION_INHERITED:
        return query->inherited = true;
    case QUERY_OPTION_LIMIT:
        return arguments_limit(options, &query->limit);
    default:
        return take_word(query, option, options);
    }
}

bool query_options_check(const struct query *query, const struct options *options)
{
    if (query->between + (query->at.text != NULL) + (query->temporary != 0) > 1) {
        options_wrong(options, "only one of --at, --between and --temporary");
        return false;
    }
    if (query->between &&
        (query->from.kind == MOMENT_SELECTION || query->to.kind == MOMENT_SELECTION)) {
        options_wrong(options, "selection-peak is a moment for --at alone");
        return false;
    }
    if (query->blame && query->by != GROUP_BY_PACKAGE) {
        options_wrong(options, "--blame is by package");
        return false;
    }
    if (query->cumulative && !group_by_is_place(query->by)) {
        options_wrong(options, "--cumulative needs --by line, file, function or module");
        return false;
    }
    return true;
}
