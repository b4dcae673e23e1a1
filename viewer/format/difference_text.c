/*
 * A row is tracemalloc's StatisticDiff to the letter, with what the row stands for in front. A
 * stack is printed below its numbers, the innermost frame last.
 */
#include "viewer/format/difference_text.h"

#include <inttypes.h>
#include <stdint.h>

#include "viewer/base/cleanup.h"
#include "viewer/base/memory.h"
#include "viewer/base/size.h"
#include "viewer/base/utf8.h"
#include "viewer/format/names.h"
#include "viewer/question/key_name.h"

static void print_change(FILE *stream, const struct difference_row *row)
{
    int64_t blocks = (int64_t)(row->new_blocks - row->old_blocks);
    fprintf(stream, "size=%s (%s), count=%" PRIu64 " (%+" PRId64 ")",
            size_format(row->new_bytes).text,
            size_format_change(row->old_bytes, row->new_bytes).text, row->new_blocks, blocks);
    if (row->new_blocks)
        fprintf(stream, ", average=%s", size_format_average(row->new_bytes, row->new_blocks).text);
    fputc('\n', stream);
}

static char *name_of_row(const struct difference_row *row)
{
    const struct grouping *grouping = &row->side->answer->grouping;
    if (!group_by_is_place(grouping->by))
        return name_of_key(grouping, row->row->key);
    const struct frame *frame = grouping_frame(grouping, row->row->key);
    return name_of_frame(row->side->recording, frame, grouping->by, SIZE_MAX);
}

static void print_frames(FILE *stream, const struct recording *recording, uint32_t node)
{
    const struct stacks *stacks = &recording->stacks;
    size_t depth = stacks_depth(stacks, node);
    CLEANUP(cleanup_free) uint32_t *nodes = memory_new(depth + 1, sizeof *nodes);
    for (size_t i = depth; node; node = stacks->parent[node])
        nodes[--i] = node;
    for (size_t i = 0; i < depth; i++) {
        const struct frame *frame = &recording->symbols.frames[stacks->location[nodes[i]]];
        CLEANUP(cleanup_free)
        char *name = name_of_frame(recording, frame, GROUP_BY_LINE, SIZE_MAX);
        fprintf(stream, "  %s\n", name);
    }
}

static void print_row(FILE *stream, const struct difference_row *row)
{
    if (row->side->answer->grouping.by == GROUP_BY_STACK) {
        print_change(stream, row);
        print_frames(stream, row->side->recording, row->row->key);
        return;
    }
    CLEANUP(cleanup_free) char *name = name_of_row(row);
    fprintf(stream, "%s: ", name);
    print_change(stream, row);
}

static void add_row(struct difference_row *sum, const struct difference_row *row)
{
    sum->old_bytes += row->old_bytes;
    sum->old_blocks += row->old_blocks;
    sum->new_bytes += row->new_bytes;
    sum->new_blocks += row->new_blocks;
}

void difference_print_text(FILE *stream, const struct difference *difference, size_t limit)
{
    struct difference_row total = {0}, omitted = {0};
    for (size_t i = 0; i < difference->count; i++) {
        if (i < limit)
            print_row(stream, &difference->rows[i]);
        else
            add_row(&omitted, &difference->rows[i]);
        add_row(&total, &difference->rows[i]);
    }
    if (difference->count > limit) {
        fprintf(stream, "… %zu more rows: ", difference->count - limit);
        print_change(stream, &omitted);
    }
    fputs("total: ", stream);
    print_change(stream, &total);
}
