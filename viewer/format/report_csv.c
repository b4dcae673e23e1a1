/*
 * The rows of a report as CSV (RFC 4180, lines ended by \n). What is absent is an empty value.
 */
#include <inttypes.h>
#include <string.h>

#include "viewer/cleanup.h"
#include "viewer/format/report.h"
#include "viewer/memory.h"

static const char *const titles[] = {
    [GROUP_BY_LINE] = "file,line,function", [GROUP_BY_FILE] = "file",
    [GROUP_BY_FUNCTION] = "file,function",  [GROUP_BY_STACK] = "stack",
    [GROUP_BY_THREAD] = "thread,tid",       [GROUP_BY_ALLOCATOR] = "allocator",
    [GROUP_BY_SIZE] = "size_min,size_max",  [GROUP_BY_PROCESS] = "pid",
};

/* Puts the value, and in the value's place nothing for NULL. */
static void put_value(FILE *stream, const char *text)
{
    if (!text)
        return;
    if (!text[strcspn(text, ",\"\r\n")]) {
        fputs(text, stream);
        return;
    }
    fputc('"', stream);
    for (; *text; text++) {
        if (*text == '"')
            fputc('"', stream);
        fputc(*text, stream);
    }
    fputc('"', stream);
}

static void put_frame(FILE *stream, const struct frame *frame, enum group_by by)
{
    put_value(stream, frame->file);
    if (by == GROUP_BY_LINE && frame->file)
        fprintf(stream, ",%" PRId32, frame->line);
    else if (by == GROUP_BY_LINE)
        fputc(',', stream);
    if (by == GROUP_BY_FILE)
        return;
    fputc(',', stream);
    put_value(stream, frame->function);
}

/* All frames in one value, outermost first: "file:line function;…". */
static void put_stack(FILE *stream, const struct recording *recording, uint32_t node)
{
    const struct stacks *stacks = &recording->stacks;
    size_t depth = stacks_depth(stacks, node), size;
    CLEANUP(cleanup_free) uint32_t *locations = memory_new(depth, sizeof *locations);
    for (size_t i = depth; node; node = stacks->parent[node])
        locations[--i] = stacks->location[node];
    CLEANUP(cleanup_free) char *text = NULL;
    FILE *value = memory_stream(&text, &size);
    for (size_t i = 0; i < depth; i++) {
        const struct frame *frame = &recording->symbols.frames[locations[i]];
        fprintf(value, "%s%s:%" PRId32 " %s", i ? ";" : "", frame->file ? frame->file : "",
                frame->line, frame->function ? frame->function : "");
    }
    fclose(value);
    put_value(stream, text);
}

static void put_key(FILE *stream, const struct grouping *grouping, uint32_t key)
{
    const struct recording *recording = grouping->recording;
    if (grouping->by == GROUP_BY_STACK) {
        put_stack(stream, recording, key);
        return;
    }
    uint32_t member = grouping->members[key];
    switch (grouping->by) {
    case GROUP_BY_THREAD:
        put_value(stream, recording->symbols.threads[member].name);
        fprintf(stream, ",%" PRId64, recording->symbols.threads[member].tid);
        break;
    case GROUP_BY_ALLOCATOR:
        put_value(stream, allocator_names[member]);
        break;
    case GROUP_BY_SIZE:
        fprintf(stream, "%" PRIu64 ",%" PRIu64, size_class_least(member), size_class_most(member));
        break;
    case GROUP_BY_PROCESS:
        fprintf(stream, "%" PRId64, recording->processes[member].pid);
        break;
    default:
        put_frame(stream, grouping_frame(grouping, key), grouping->by);
    }
}

void report_print_csv(FILE *stream, const struct answer *answer)
{
    fprintf(stream, "%s,bytes,blocks,allocated_bytes,allocations\n", titles[answer->query.by]);
    for (size_t i = 0; i < answer->row_count; i++) {
        const struct row *row = &answer->rows[i];
        put_key(stream, &answer->grouping, row->key);
        fprintf(stream, ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 "\n", row->bytes,
                row->blocks, row->allocated_bytes, row->allocations);
    }
}
