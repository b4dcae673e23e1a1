/*
 * Matching: every row of both sides gets a key, a text that says what it means; sorted together,
 * equal keys stand side by side.
 */
#include "viewer/question/difference.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "viewer/base/cleanup.h"
#include "viewer/base/memory.h"
#include "viewer/base/order.h"
#include "viewer/question/key_name.h"
#include "viewer/recording/command_line.h"
#include "viewer/recording/source.h"

/* Stands between the parts of a key; no name has it. */
#define KEY_SEPARATOR "\x1f"

struct keyed {
    char *text;
    int32_t line;     /* orders equal texts of one side; 0: none */
    uint32_t ordinal; /* of the equal texts of one side */
    unsigned side;
    const struct row *row;
};

static char *key_of_frame(struct sources *sources, const struct frame *frame, enum group_by by)
{
    if (!frame->file)
        return memory_copy("");
    if (by == GROUP_BY_FILE || by == GROUP_BY_MODULE)
        return memory_copy(by == GROUP_BY_FILE ? frame->file : frame_module(frame));
    if (by == GROUP_BY_FUNCTION)
        return memory_print("%s" KEY_SEPARATOR "%s", frame->file, frame->function);
    CLEANUP(cleanup_free) char *text = sources_line(sources, frame->file_id, frame->line);
    if (text)
        return memory_print("%s" KEY_SEPARATOR "%s" KEY_SEPARATOR "%s", frame->file,
                            frame->function, text);
    return memory_print("%s" KEY_SEPARATOR "%s" KEY_SEPARATOR "%" PRId32, frame->file,
                        frame->function, frame->line);
}

static char *key_of_stack(struct sources *sources, const struct recording *recording, uint32_t node)
{
    const struct stacks *stacks = &recording->stacks;
    char *text;
    size_t size;
    FILE *stream = memory_stream(&text, &size);
    for (; node; node = stacks->parent[node]) {
        CLEANUP(cleanup_free)
        char *frame = key_of_frame(sources, &recording->symbols.frames[stacks->location[node]],
                                   GROUP_BY_LINE);
        fprintf(stream, "%s\n", frame);
    }
    fclose(stream);
    return text;
}

static char *key_of_row(struct sources *sources, const struct side *side, const struct row *row)
{
    const struct grouping *grouping = &side->answer->grouping;
    switch (grouping->by) {
    case GROUP_BY_LINE:
    case GROUP_BY_FILE:
    case GROUP_BY_FUNCTION:
    case GROUP_BY_MODULE:
        return key_of_frame(sources, grouping_frame(grouping, row->key), grouping->by);
    case GROUP_BY_STACK:
        return key_of_stack(sources, side->recording, row->key);
    case GROUP_BY_THREAD:
        return memory_copy(side->recording->symbols.threads[grouping->members[row->key]].name);
    case GROUP_BY_PROCESS:
        return name_of_command(side->recording->processes[grouping->members[row->key]].command);
    default:
        return name_of_key(grouping, row->key);
    }
}

static int compare_in_side(const void *a, const void *b)
{
    const struct keyed *one = a, *other = b;
    return strcmp(one->text, other->text) ?: ORDER(one->line, other->line);
}

static int compare_across(const void *a, const void *b)
{
    const struct keyed *one = a, *other = b;
    return strcmp(one->text, other->text)
               ?: ORDER(one->ordinal, other->ordinal) ?: ORDER(one->side, other->side);
}

/* Fills in the keys of one side's rows that hold something; returns how many. */
static size_t key_side(struct keyed *keyed, const struct side *side, unsigned number)
{
    CLEANUP(sources_deinit) struct sources sources;
    sources_init(&sources, side->recording);
    const struct answer *answer = side->answer;
    size_t count = 0;
    for (size_t i = 0; i < answer->row_count; i++) {
        const struct row *row = &answer->rows[i];
        if (!row->blocks)
            continue;
        bool is_line = answer->grouping.by == GROUP_BY_LINE;
        keyed[count++] = (struct keyed){
            .text = key_of_row(&sources, side, row),
            .line = is_line ? grouping_frame(&answer->grouping, row->key)->line : 0,
            .side = number,
            .row = row,
        };
    }
    qsort(keyed, count, sizeof *keyed, compare_in_side);
    for (size_t i = 1; i < count; i++)
        if (!strcmp(keyed[i].text, keyed[i - 1].text))
            keyed[i].ordinal = keyed[i - 1].ordinal + 1;
    return count;
}

static void add_row(struct difference *difference, const struct keyed *keyed, bool joins)
{
    if (!joins)
        difference->rows[difference->count++] = (struct difference_row){0};
    struct difference_row *row = &difference->rows[difference->count - 1];
    row->side = &difference->sides[keyed->side];
    row->row = keyed->row;
    if (keyed->side == 0) {
        row->old_bytes = keyed->row->bytes;
        row->old_blocks = keyed->row->blocks;
    } else {
        row->new_bytes = keyed->row->bytes;
        row->new_blocks = keyed->row->blocks;
    }
}

static uint64_t absolute_change(uint64_t a, uint64_t b)
{
    return a > b ? a - b : b - a;
}

static int compare_rows(const void *a, const void *b)
{
    const struct difference_row *one = a, *other = b;
    /* The same side's rows in that side's own order. */
    return ORDER(absolute_change(other->new_bytes, other->old_bytes),
                 absolute_change(one->new_bytes, one->old_bytes))
               ?: ORDER(other->new_bytes, one->new_bytes)
               ?: ORDER(absolute_change(other->new_blocks, other->old_blocks),
                        absolute_change(one->new_blocks, one->old_blocks))
               ?: ORDER(other->new_blocks, one->new_blocks)
               ?: ORDER(one->side, other->side) ?: ORDER(one->row, other->row);
}

void difference_init(struct difference *difference, struct side before, struct side after)
{
    *difference = (struct difference){.sides = {before, after}};
    size_t most = before.answer->row_count + after.answer->row_count;
    CLEANUP(cleanup_free) struct keyed *keyed = memory_new(most, sizeof *keyed);
    size_t count = key_side(keyed, &before, 0);
    count += key_side(keyed + count, &after, 1);
    qsort(keyed, count, sizeof *keyed, compare_across);
    difference->rows = memory_new(count, sizeof *difference->rows);
    for (size_t i = 0; i < count; i++)
        add_row(difference, &keyed[i],
                i && keyed[i].side == 1 && keyed[i - 1].side == 0 &&
                    keyed[i].ordinal == keyed[i - 1].ordinal &&
                    !strcmp(keyed[i].text, keyed[i - 1].text));
    for (size_t i = 0; i < count; i++)
        free(keyed[i].text);
    qsort(difference->rows, difference->count, sizeof *difference->rows, compare_rows);
}

void difference_deinit(struct difference *difference)
{
    free(difference->rows);
}
