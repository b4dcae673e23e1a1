/*
 * Growing a tree: each stack that holds something becomes its list of lines in the order of the
 * branches; sorted, equal beginnings stand side by side, and a branch is a range of lists.
 */
#include "viewer/question/tree.h"

#include <stdlib.h>
#include <string.h>

#include "viewer/base/cleanup.h"
#include "viewer/base/memory.h"
#include "viewer/base/order.h"
#include "viewer/question/row.h"

/* One stack: its lines are `lines[first]` to before `lines[end]`. */
struct path {
    const uint32_t *lines;
    size_t length;
    const struct row *row;
};

struct growth {
    const struct answer *answer;
    struct path *paths;
    size_t count;
    uint32_t *lines;           /* of all paths, keys by line */
    const uint32_t *locations; /* by key by line: a location */
    uint64_t least;            /* bytes */
};

static bool is_function(const struct frame *frame, const char *name)
{
    if (!frame->function)
        return false;
    size_t length = strlen(frame->function), name_length = strlen(name);
    if (length < name_length || strcmp(frame->function + length - name_length, name) != 0)
        return false;
    return length == name_length || frame->function[length - name_length - 1] == '.';
}

static bool holds_something(const struct row *row)
{
    return row->bytes || row->blocks;
}

/* The node of the outermost frame of that function; 0: none. */
static uint32_t outermost_call(const struct recording *recording, uint32_t node, const char *name)
{
    const struct stacks *stacks = &recording->stacks;
    uint32_t found = 0;
    for (; node; node = stacks->parent[node])
        if (is_function(&recording->symbols.frames[stacks->location[node]], name))
            found = node;
    return found;
}

static void lines_reverse(uint32_t *lines, size_t length)
{
    for (size_t i = 0; i < length / 2; i++) {
        uint32_t line = lines[i];
        lines[i] = lines[length - 1 - i];
        lines[length - 1 - i] = line;
    }
}

/* Writes the lines from `node` outwards, up to `last` and with it; returns how many. */
static size_t put_lines(const struct grouping *grouping, uint32_t node, uint32_t last,
                        uint32_t *lines)
{
    const struct stacks *stacks = &grouping->recording->stacks;
    size_t length = 0;
    for (; node; node = stacks->parent[node]) {
        lines[length++] = grouping->line_keys[stacks->location[node]];
        if (node == last)
            break;
    }
    return length;
}

/* The lines of one stack in the order of the branches. */
static size_t put_path(const struct grouping *grouping, uint32_t node,
                       enum tree_direction direction, const char *function, uint32_t *lines)
{
    uint32_t call = 0;
    if (direction == TREE_CALLEES || direction == TREE_CALLERS) {
        call = outermost_call(grouping->recording, node, function);
        if (!call)
            return 0;
    }
    size_t length = put_lines(grouping, direction == TREE_CALLERS ? call : node,
                              direction == TREE_CALLEES ? call : 0, lines);
    if (direction == TREE_FROM_ABOVE || direction == TREE_CALLEES)
        lines_reverse(lines, length);
    return length;
}

static size_t all_depths(const struct answer *answer)
{
    size_t depths = 0;
    for (size_t i = 0; i < answer->row_count; i++)
        if (holds_something(&answer->rows[i]))
            depths += stacks_depth(&answer->grouping.recording->stacks, answer->rows[i].key);
    return depths;
}

static void lay_paths(struct growth *growth, enum tree_direction direction, const char *function)
{
    const struct answer *answer = growth->answer;
    growth->paths = memory_new(answer->row_count, sizeof *growth->paths);
    growth->lines = memory_new(all_depths(answer), sizeof *growth->lines);
    uint32_t *at = growth->lines;
    for (size_t i = 0; i < answer->row_count; i++) {
        const struct row *row = &answer->rows[i];
        if (!holds_something(row))
            continue;
        size_t length = put_path(&answer->grouping, row->key, direction, function, at);
        if (!length && function)
            continue;
        growth->paths[growth->count++] = (struct path){at, length, row};
        at += length;
    }
}

static int compare_paths(const void *a, const void *b)
{
    const struct path *one = a, *other = b;
    size_t length = one->length < other->length ? one->length : other->length;
    for (size_t i = 0; i < length; i++)
        if (one->lines[i] != other->lines[i])
            return ORDER(one->lines[i], other->lines[i]);
    return ORDER(one->length, other->length);
}

static int compare_branches(const void *a, const void *b)
{
    const struct branch *one = a, *other = b;
    return ORDER(other->total.bytes, one->total.bytes)
               ?: ORDER(other->total.blocks, one->total.blocks)
               ?: ORDER(one->frame, other->frame);
}

static struct row sum_paths(const struct path *paths, size_t count)
{
    struct row sum = {0};
    for (size_t i = 0; i < count; i++)
        row_add(&sum, paths[i].row);
    return sum;
}

static void branch_grow(const struct growth *growth, struct branch *branch,
                        const struct path *paths, size_t count, size_t level);

/* Adds the child to which these paths lead, or folds it. */
static void add_child(const struct growth *growth, struct branch *branch, const struct path *paths,
                      size_t count, size_t level)
{
    struct row total = sum_paths(paths, count);
    if (total.bytes < growth->least) {
        row_add(&branch->folded, &total);
        branch->folded_count++;
        return;
    }
    branch->children = memory_room(branch->children, branch->child_count, sizeof *branch->children);
    struct branch *child = &branch->children[branch->child_count++];
    uint32_t location = growth->locations[paths[0].lines[level]];
    *child = (struct branch){
        .frame = &growth->answer->grouping.recording->symbols.frames[location],
        .total = total,
    };
    branch_grow(growth, child, paths, count, level + 1);
}

static void branch_grow(const struct growth *growth, struct branch *branch,
                        const struct path *paths, size_t count, size_t level)
{
    size_t from = 0;
    for (; from < count && paths[from].length == level; from++)
        row_add(&branch->own, paths[from].row);
    while (from < count) {
        size_t to = from + 1;
        while (to < count && paths[to].lines[level] == paths[from].lines[level])
            to++;
        add_child(growth, branch, paths + from, to - from, level);
        from = to;
    }
    if (branch->child_count)
        qsort(branch->children, branch->child_count, sizeof *branch->children, compare_branches);
}

/* A location for each key by line. */
static uint32_t *locations_of(const struct grouping *grouping)
{
    size_t count = grouping->recording->symbols.frame_count;
    uint32_t *locations = memory_new(count, sizeof *locations);
    for (size_t i = 0; i < count; i++)
        locations[grouping->line_keys[i]] = (uint32_t)i;
    return locations;
}

void tree_init(struct tree *tree, const struct answer *answer, enum tree_direction direction,
               const char *function, double least)
{
    CLEANUP(cleanup_free) uint32_t *locations = locations_of(&answer->grouping);
    struct growth growth = {
        .answer = answer,
        .locations = locations,
    };
    lay_paths(&growth, direction, function);
    if (growth.count)
        qsort(growth.paths, growth.count, sizeof *growth.paths, compare_paths);
    *tree = (struct tree){.whole = answer->view};
    tree->root.total = sum_paths(growth.paths, growth.count);
    growth.least = (uint64_t)((double)tree->root.total.bytes * least);
    branch_grow(&growth, &tree->root, growth.paths, growth.count, 0);
    free(growth.paths);
    free(growth.lines);
}

static void branch_deinit(struct branch *branch)
{
    for (size_t i = 0; i < branch->child_count; i++)
        branch_deinit(&branch->children[i]);
    free(branch->children);
}

void tree_deinit(struct tree *tree)
{
    branch_deinit(&tree->root);
}
