/*
 * A file for speedscope: two sampled profiles whose weights are bytes, what was held and what was
 * allocated. A sample, as it calls it, is a stack.
 *
 * Browsers do not open what is very large, so the tree of stacks is folded (fold.h). In the order
 * of time, which memory has none of, heavier branches stand before lighter ones and those of one
 * caller side by side: each kept node has a range of bytes, its children's lie in it from its start
 * on, and the samples are sorted by where theirs begin.
 */
#include <inttypes.h>
#include <stdlib.h>

#include "viewer/base/cleanup.h"
#include "viewer/base/memory.h"
#include "viewer/base/order.h"
#include "viewer/export/export.h"
#include "viewer/format/json_values.h"
#include "viewer/format/names.h"
#include "viewer/question/fold.h"
#include "viewer/question/key_name.h"
#include "viewer/recording/command_line.h"

#define SCHEMA_ADDRESS "https://www.speedscope.app/file-format-schema.json"

/* Stands for what was folded, where a location is asked for. */
#define LOCATION_OTHER UINT32_MAX

struct speedscope {
    FILE *stream;
    const struct answer *answer;
    uint32_t *frames;     /* by key by line: number in the file + 1, 0: none yet */
    uint32_t *locations;  /* by number in the file */
    uint32_t frame_count; /* so far */
};

/* A stack in the file. */
struct stack {
    uint64_t start, weight;
    uint32_t node;
    bool is_other;
};

struct layout {
    struct stack *list;
    size_t count;
};

static uint64_t weigh_bytes(const struct row *row)
{
    return row->bytes;
}

static uint64_t weigh_allocated(const struct row *row)
{
    return row->allocated_bytes;
}

/* --- which samples, and where --- */

static int compare_starts(const void *a, const void *b)
{
    const struct stack *one = a, *other = b;
    return ORDER(one->start, other->start);
}

static void add_stack(struct layout *layout, uint64_t *next, uint32_t node, uint64_t weight,
                      bool is_other)
{
    if (weight)
        layout->list[layout->count++] = (struct stack){*next, weight, node, is_other};
    *next += weight;
}

/* What is each kept node's own, and what of others stands with it, by key. */
static void sum_rows(const struct answer *answer, const struct fold *fold, fold_weight *weight,
                     uint64_t *own, uint64_t *others)
{
    for (size_t i = 0; i < answer->row_count; i++) {
        uint32_t key = answer->rows[i].key, stands = fold->stands[key];
        *(stands == key ? &own[key] : &others[stands]) += weight(&answer->rows[i]);
    }
}

static void lay_out(struct layout *layout, const struct answer *answer, fold_weight *weight)
{
    static const struct fold_limits limits = {EXPORT_NODES_MAX, EXPORT_FRAMES_MAX};
    const struct grouping *grouping = &answer->grouping;
    const uint32_t *parents = grouping->recording->stacks.parent;
    CLEANUP(fold_deinit) struct fold fold;
    fold_init(&fold, answer, weight, &limits);
    CLEANUP(cleanup_free) uint64_t *own = memory_new(grouping->key_count, sizeof *own);
    CLEANUP(cleanup_free) uint64_t *others = memory_new(grouping->key_count, sizeof *others);
    CLEANUP(cleanup_free) uint64_t *next = memory_new(grouping->key_count, sizeof *next);
    sum_rows(answer, &fold, weight, own, others);
    *layout = (struct layout){memory_new(fold.kept_count, 2 * sizeof(struct stack)), 0};
    for (size_t i = 1; i < fold.kept_count; i++) {
        uint32_t node = fold.kept[i], caller = grouping->keys[parents[node]];
        next[node] = next[caller];
        next[caller] += fold.totals[node];
    }
    for (size_t i = 0; i < fold.kept_count; i++) {
        uint32_t node = fold.kept[i];
        add_stack(layout, &next[node], node, own[node], false);
        add_stack(layout, &next[node], node, others[node], true);
    }
    qsort(layout->list, layout->count, sizeof *layout->list, compare_starts);
}

/* --- writing --- */

/* Location 0 is what has no frame. */
static uint32_t frame_number(struct speedscope *speedscope, uint32_t location)
{
    const struct grouping *grouping = &speedscope->answer->grouping;
    uint32_t *frame = location == LOCATION_OTHER
                          ? &speedscope->frames[grouping->recording->symbols.frame_count]
                          : &speedscope->frames[grouping->line_keys[location]];
    if (!*frame) {
        speedscope->locations[speedscope->frame_count] = location;
        *frame = ++speedscope->frame_count;
    }
    return *frame - 1;
}

static void put_sample(struct speedscope *speedscope, const struct stack *stack)
{
    const struct stacks *stacks = &speedscope->answer->grouping.recording->stacks;
    size_t depth;
    CLEANUP(cleanup_free) uint32_t *locations = stacks_path(stacks, stack->node, &depth);
    const char *between = "";
    putc('[', speedscope->stream);
    for (size_t i = 0; i < depth; i++, between = ",")
        fprintf(speedscope->stream, "%s%" PRIu32, between, frame_number(speedscope, locations[i]));
    if (stack->is_other || !depth)
        fprintf(speedscope->stream, "%s%" PRIu32, between,
                frame_number(speedscope, stack->is_other ? LOCATION_OTHER : 0));
    putc(']', speedscope->stream);
}

static void put_profile(struct speedscope *speedscope, const char *name, fold_weight *weight)
{
    FILE *stream = speedscope->stream;
    struct layout layout;
    uint64_t total = 0;
    lay_out(&layout, speedscope->answer, weight);
    fputs("{\"type\":\"sampled\",\"name\":", stream);
    json_print(stream, json_string(name));
    fputs(",\"unit\":\"bytes\",\"samples\":[", stream);
    for (size_t i = 0; i < layout.count; i++) {
        fputs(i ? ",\n" : "\n", stream);
        put_sample(speedscope, &layout.list[i]);
    }
    fputs("],\n\"weights\":[", stream);
    for (size_t i = 0; i < layout.count; i++) {
        fprintf(stream, "%s%" PRIu64, i ? "," : "", layout.list[i].weight);
        total += layout.list[i].weight;
    }
    fprintf(stream, "],\n\"startValue\":0,\"endValue\":%" PRIu64 "}", total);
    free(layout.list);
}

static json_t *frame_to_json(const struct speedscope *speedscope, uint32_t location)
{
    if (location == LOCATION_OTHER)
        return json_pack("{s:s}", "name", EXPORT_OTHER);
    const struct frame *frame = &speedscope->answer->grouping.recording->symbols.frames[location];
    if (!frame->function)
        return json_pack("{s:s}", "name", NAME_OF_NO_FRAME);
    json_t *object = json_pack("{s:s,s:s}", "name", frame->function, "file", frame->file);
    if (frame->line > 0)
        json_put_count(object, "line", (uint64_t)frame->line);
    return object;
}

/* They are numbered as the samples need them, and so stand behind those. */
static void put_frames(const struct speedscope *speedscope)
{
    fputs("\"shared\":{\"frames\":[", speedscope->stream);
    for (uint32_t i = 0; i < speedscope->frame_count; i++) {
        fputs(i ? ",\n" : "\n", speedscope->stream);
        json_print(speedscope->stream, frame_to_json(speedscope, speedscope->locations[i]));
    }
    fputs("]}", speedscope->stream);
}

static void put_file(struct speedscope *speedscope, struct recording *recording,
                     const struct query *query)
{
    FILE *stream = speedscope->stream;
    CLEANUP(cleanup_free) char *command = name_of_command(recording->run.command);
    CLEANUP(cleanup_free) char *view = name_of_view(recording, query);
    fputs("{\"$schema\":\"" SCHEMA_ADDRESS "\",\"exporter\":\"heapline " HEAPLINE_VERSION
          "\",\"name\":",
          stream);
    json_print(stream, json_string(command));
    fputs(",\"activeProfileIndex\":0,\"profiles\":[\n", stream);
    put_profile(speedscope, view, weigh_bytes);
    fputs(",\n", stream);
    put_profile(speedscope, query->between ? "Allocated in that time" : "Allocated in all",
                weigh_allocated);
    fputs("],\n", stream);
    put_frames(speedscope);
    fputs("}\n", stream);
}

bool export_speedscope(FILE *stream, struct recording *recording, const struct query *query)
{
    CLEANUP(answer_deinit) struct answer answer;
    if (!export_ask_stacks(&answer, recording, query, GROUP_BY_STACK, NULL, NULL))
        return false;
    size_t count = recording->symbols.frame_count + 1;
    CLEANUP(cleanup_free) uint32_t *frames = memory_new(count, sizeof *frames);
    CLEANUP(cleanup_free) uint32_t *locations = memory_new(count, sizeof *locations);
    struct speedscope speedscope = {
        .stream = stream, .answer = &answer, .frames = frames, .locations = locations};
    put_file(&speedscope, recording, query);
    return true;
}
