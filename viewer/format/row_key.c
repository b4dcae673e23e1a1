/*
 * Keys of rows in JSON and CSV. What is absent is null, or an empty value.
 */
#include "viewer/format/row_key.h"

#include <inttypes.h>
#include <stdlib.h>

#include "viewer/base/cleanup.h"
#include "viewer/base/memory.h"
#include "viewer/format/csv.h"
#include "viewer/format/json_values.h"

/* --- JSON --- */

/* Adds the parts of a place that the grouping tells apart. */
static void frame_to_json(json_t *object, const struct frame *frame, enum group_by by)
{
    if (by == GROUP_BY_MODULE) {
        json_put_text(object, "module", frame_module(frame));
        return;
    }
    json_put_text(object, "file", frame->file);
    if (by == GROUP_BY_LINE)
        json_object_set_new(object, "line", frame->file ? json_integer(frame->line) : json_null());
    if (by != GROUP_BY_FILE)
        json_put_text(object, "function", frame->function);
}

static json_t *stack_to_json(const struct recording *recording, uint32_t node)
{
    size_t depth;
    CLEANUP(cleanup_free) uint32_t *locations = stacks_path(&recording->stacks, node, &depth);
    json_t *list = json_array();
    for (size_t i = 0; i < depth; i++) {
        json_t *frame = json_object();
        frame_to_json(frame, &recording->symbols.frames[locations[i]], GROUP_BY_LINE);
        json_array_append_new(list, frame);
    }
    return list;
}

void row_key_to_json(json_t *object, const struct grouping *grouping, uint32_t key)
{
    const struct recording *recording = grouping->recording;
    if (grouping->by == GROUP_BY_STACK) {
        json_object_set_new(object, "stack", stack_to_json(recording, key));
        return;
    }
    uint32_t member = grouping->members[key];
    switch (grouping->by) {
    case GROUP_BY_THREAD:
        json_put_text(object, "thread", recording->symbols.threads[member].name);
        json_object_set_new(object, "tid", json_integer(recording->symbols.threads[member].tid));
        break;
    case GROUP_BY_PACKAGE:
        json_put_text(object, "package", recording->symbols.frames[member].package);
        break;
    case GROUP_BY_ALLOCATOR:
        json_put_text(object, "allocator", allocator_names[member]);
        break;
    case GROUP_BY_SIZE:
        json_put_count(object, "size_min", size_class_least(member));
        json_put_count(object, "size_max", size_class_most(member));
        break;
    case GROUP_BY_PROCESS:
        json_object_set_new(object, "pid", json_integer(recording->processes[member].pid));
        break;
    default:
        frame_to_json(object, grouping_frame(grouping, key), grouping->by);
    }
}

/* --- CSV --- */

const char *row_key_titles(enum group_by by)
{
    static const char *const titles[] = {
        [GROUP_BY_LINE] = "file,line,function", [GROUP_BY_FILE] = "file",
        [GROUP_BY_FUNCTION] = "file,function",  [GROUP_BY_STACK] = "stack",
        [GROUP_BY_THREAD] = "thread,tid",       [GROUP_BY_ALLOCATOR] = "allocator",
        [GROUP_BY_SIZE] = "size_min,size_max",  [GROUP_BY_PROCESS] = "pid",
        [GROUP_BY_PACKAGE] = "package",         [GROUP_BY_MODULE] = "module",
    };
    return titles[by];
}

static void frame_to_csv(FILE *stream, const struct frame *frame, enum group_by by)
{
    csv_put(stream, by == GROUP_BY_MODULE ? frame_module(frame) : frame->file);
    if (by == GROUP_BY_LINE && frame->file)
        fprintf(stream, ",%" PRId32, frame->line);
    else if (by == GROUP_BY_LINE)
        fputc(',', stream);
    if (by == GROUP_BY_FILE || by == GROUP_BY_MODULE)
        return;
    fputc(',', stream);
    csv_put(stream, frame->function);
}

/* All frames in one value, outermost first: "file:line function;…"; without the line where native
 * code has none. */
static void stack_to_csv(FILE *stream, const struct recording *recording, uint32_t node)
{
    size_t depth, size;
    CLEANUP(cleanup_free) uint32_t *locations = stacks_path(&recording->stacks, node, &depth);
    CLEANUP(cleanup_free) char *text = NULL;
    FILE *value = memory_stream(&text, &size);
    for (size_t i = 0; i < depth; i++) {
        const struct frame *frame = &recording->symbols.frames[locations[i]];
        fprintf(value, "%s%s", i ? ";" : "", frame->file ? frame->file : "");
        if (frame_has_line(frame))
            fprintf(value, ":%" PRId32, frame->line);
        fprintf(value, " %s", frame->function ? frame->function : "");
    }
    fclose(value);
    csv_put(stream, text);
}

void row_key_to_csv(FILE *stream, const struct grouping *grouping, uint32_t key)
{
    const struct recording *recording = grouping->recording;
    if (grouping->by == GROUP_BY_STACK) {
        stack_to_csv(stream, recording, key);
        return;
    }
    uint32_t member = grouping->members[key];
    switch (grouping->by) {
    case GROUP_BY_THREAD:
        csv_put(stream, recording->symbols.threads[member].name);
        fprintf(stream, ",%" PRId64, recording->symbols.threads[member].tid);
        break;
    case GROUP_BY_PACKAGE:
        csv_put(stream, recording->symbols.frames[member].package);
        break;
    case GROUP_BY_ALLOCATOR:
        csv_put(stream, allocator_names[member]);
        break;
    case GROUP_BY_SIZE:
        fprintf(stream, "%" PRIu64 ",%" PRIu64, size_class_least(member), size_class_most(member));
        break;
    case GROUP_BY_PROCESS:
        fprintf(stream, "%" PRId64, recording->processes[member].pid);
        break;
    default:
        frame_to_csv(stream, grouping_frame(grouping, key), grouping->by);
    }
}
