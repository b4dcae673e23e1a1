/*
 * What was allocated, in JSON with the names that `memray stats --json` has (memray 1.20).
 *
 * The histogram's bins are the size classes that the recording counts by, so that each count is
 * exact; memray divides the range of the sizes that occur. A module is the package of the innermost
 * frame that is neither Python's own nor the operating system's.
 */
#include <math.h>
#include <stdlib.h>
#include <time.h>

#include "chunk.h"
#include "wire.h"
#include "viewer/base/cleanup.h"
#include "viewer/base/memory.h"
#include "viewer/base/order.h"
#include "viewer/export/export.h"
#include "viewer/format/json_values.h"
#include "viewer/recording/command_line.h"

/* How many each list of the largest has. */
#define LARGEST_COUNT 10u
/* memray's names for what has no frame, and for what has no module. */
#define NO_LOCATION "<stack trace unavailable>"
#define NO_MODULE   "<root>"

/* Those that memray has too are called as there; the three domains of CPython it does not tell
 * apart. */
static const char *const names_of_allocators[WIRE_ALLOCATOR_COUNT] = {
    [WIRE_ALLOCATOR_MALLOC] = "MALLOC",    [WIRE_ALLOCATOR_RAW] = "PYMALLOC_RAW",
    [WIRE_ALLOCATOR_MEM] = "PYMALLOC_MEM", [WIRE_ALLOCATOR_OBJECT] = "PYMALLOC_OBJECT",
    [WIRE_ALLOCATOR_MMAP] = "MMAP",        [WIRE_ALLOCATOR_FILE] = "MMAP",
    [WIRE_ALLOCATOR_RESERVED] = "MMAP",
};

struct count {
    uint64_t allocations, bytes;
};

struct stats {
    struct recording *recording;
    struct answer answer;
    struct grouping packages;
    uint32_t *module_of;   /* by node: a location, 0: none */
    struct count *lines;   /* by key by line */
    struct count *modules; /* by key by package */
    uint64_t sizes[CHUNK_SIZE_CLASSES + 1];
    uint64_t allocators[WIRE_ALLOCATOR_COUNT];
};

/* --- counting --- */

static void count_add(struct count *count, const struct row *row)
{
    count->allocations += row->allocations;
    count->bytes += row->allocated_bytes;
}

static void take_counter(void *context, const struct counted *counted)
{
    struct stats *stats = context;
    const struct row *row = counted->row;
    uint32_t node = counted->counter->node;
    uint32_t location = stats->recording->stacks.location[node];
    stats->sizes[counted->counter->size_class] += row->allocations;
    stats->allocators[counted->counter->allocator] += row->allocations;
    count_add(&stats->lines[stats->answer.grouping.line_keys[location]], row);
    count_add(&stats->modules[stats->packages.keys[stats->module_of[node]]], row);
}

static void find_modules(struct stats *stats)
{
    const struct stacks *stacks = &stats->recording->stacks;
    const struct frame *frames = stats->recording->symbols.frames;
    stats->module_of = memory_new(stacks->count, sizeof *stats->module_of);
    for (uint32_t node = 1; node < stacks->count; node++) {
        uint32_t location = stacks->location[node];
        const struct frame *frame = &frames[location];
        bool is_module = frame->package && !frame_is_platform(frame);
        stats->module_of[node] = is_module ? location : stats->module_of[stacks->parent[node]];
    }
}

static bool stats_init(struct stats *stats, struct recording *recording, const struct query *query)
{
    *stats = (struct stats){.recording = recording};
    find_modules(stats);
    grouping_init(&stats->packages, recording, GROUP_BY_PACKAGE, BLAME_NONE);
    stats->modules = memory_new(stats->packages.key_count, sizeof *stats->modules);
    stats->lines = memory_new(recording->symbols.frame_count, sizeof *stats->lines);
    return export_ask_stacks(&stats->answer, recording, query, GROUP_BY_STACK, take_counter, stats);
}

static void stats_deinit(struct stats *stats)
{
    answer_deinit(&stats->answer);
    grouping_deinit(&stats->packages);
    free(stats->module_of);
    free(stats->modules);
    free(stats->lines);
}

/* --- the largest --- */

struct ranked {
    struct count count;
    uint32_t key;
};

static int compare_bytes(const void *a, const void *b)
{
    const struct ranked *one = a, *other = b;
    return ORDER(other->count.bytes, one->count.bytes) ?: ORDER(one->key, other->key);
}

static int compare_allocations(const void *a, const void *b)
{
    const struct ranked *one = a, *other = b;
    return ORDER(other->count.allocations, one->count.allocations) ?: ORDER(one->key, other->key);
}

typedef int comparison(const void *a, const void *b);

/* The first ones of those with anything, in order; the caller frees them. */
static struct ranked *counts_rank(const struct count *counts, size_t count, comparison *compare,
                                  size_t *ranked_count)
{
    struct ranked *ranked = memory_new(count, sizeof *ranked);
    size_t found = 0;
    for (size_t i = 0; i < count; i++)
        if (counts[i].allocations)
            ranked[found++] = (struct ranked){counts[i], (uint32_t)i};
    qsort(ranked, found, sizeof *ranked, compare);
    *ranked_count = found < LARGEST_COUNT ? found : LARGEST_COUNT;
    return ranked;
}

/* --- writing --- */

/* Any location with the key by line. */
static uint32_t location_of(const struct stats *stats, uint32_t key)
{
    uint32_t location = 0;
    while (stats->answer.grouping.line_keys[location] != key)
        location++;
    return location;
}

static json_t *locations_to_json(const struct stats *stats, comparison *compare, const char *value)
{
    const struct symbols *symbols = &stats->recording->symbols;
    size_t count;
    CLEANUP(cleanup_free)
    struct ranked *ranked = counts_rank(stats->lines, symbols->frame_count, compare, &count);
    json_t *list = json_array();
    for (size_t i = 0; i < count; i++) {
        const struct frame *frame = &symbols->frames[location_of(stats, ranked[i].key)];
        CLEANUP(cleanup_free)
        char *place = frame->function
                          ? memory_print("%s:%s:%d", frame->function, frame->file, frame->line)
                          : memory_copy(NO_LOCATION);
        json_t *object = json_pack("{s:s}", "location", place);
        json_put_count(object, value,
                       compare == compare_bytes ? ranked[i].count.bytes
                                                : ranked[i].count.allocations);
        json_array_append_new(list, object);
    }
    return list;
}

static json_t *modules_to_json(const struct stats *stats, comparison *compare)
{
    const struct frame *frames = stats->recording->symbols.frames;
    size_t count;
    CLEANUP(cleanup_free)
    struct ranked *ranked = counts_rank(stats->modules, stats->packages.key_count, compare, &count);
    json_t *list = json_array();
    for (size_t i = 0; i < count; i++) {
        const char *name = frames[stats->packages.members[ranked[i].key]].package;
        json_t *object = json_pack("{s:s}", "module", name ? name : NO_MODULE);
        json_put_count(object, "num_allocations", ranked[i].count.allocations);
        json_put_count(object, "total_bytes", ranked[i].count.bytes);
        json_array_append_new(list, object);
    }
    return list;
}

/* From 0 to the largest class that occurs. */
static json_t *sizes_to_json(const struct stats *stats)
{
    json_t *list = json_array();
    unsigned count = CHUNK_SIZE_CLASSES + 1;
    while (count && !stats->sizes[count - 1])
        count--;
    for (unsigned i = 0; i < count; i++) {
        json_t *object = json_object();
        json_put_count(object, "min_bytes", size_class_least(i));
        json_put_count(object, "max_bytes", size_class_most(i));
        json_put_count(object, "count", stats->sizes[i]);
        json_array_append_new(list, object);
    }
    return list;
}

static json_t *allocators_to_json(const struct stats *stats)
{
    json_t *object = json_object();
    for (unsigned i = 0; i < WIRE_ALLOCATOR_COUNT; i++)
        if (stats->allocators[i])
            json_put_count(object, names_of_allocators[i], stats->allocators[i]);
    return object;
}

/* As Python prints a time with its zone. */
static void put_time(json_t *object, const char *key, double unix_time)
{
    char day[32] = "", text[64];
    struct tm parts;
    time_t seconds = (time_t)floor(unix_time);
    if (gmtime_r(&seconds, &parts))
        strftime(day, sizeof day, "%Y-%m-%d %H:%M:%S", &parts);
    snprintf(text, sizeof text, "%s.%06d+00:00", day, (int)((unix_time - floor(unix_time)) * 1e6));
    json_put_text(object, key, text);
}

static json_t *metadata_to_json(const struct stats *stats)
{
    const struct recording *recording = stats->recording;
    const struct totals *totals = &stats->answer.totals;
    const struct process *first =
        stats->answer.process_count ? &recording->processes[stats->answer.processes[0]] : NULL;
    CLEANUP(cleanup_free) char *command = name_of_command(recording->run.command);
    json_t *object = json_object();
    put_time(object, "start_time", recording->run.started);
    put_time(object, "end_time", recording->run.started + run_length(recording));
    json_put_count(object, "total_allocations", totals->sums.allocations + totals->frees);
    json_put_count(object, "total_frames", recording->symbols.frame_count - 1);
    json_put_count(object, "peak_memory", totals->sums.peak_bytes);
    json_put_text(object, "command_line", command);
    json_put_count(object, "pid", first ? (uint64_t)first->pid : 0);
    json_put_count(object, "main_thread_id", first ? (uint64_t)first->pid : 0);
    json_put_text(object, "python_allocator", NULL); /* the recording does not say */
    json_object_set_new(object, "has_native_traces",
                        json_boolean(recording->symbols.module_count > 0));
    json_object_set_new(object, "trace_python_allocators", json_true());
    json_put_count(object, "file_format", 0); /* all allocations */
    return object;
}

static json_t *stats_to_json(const struct stats *stats)
{
    json_t *object = json_object();
    json_put_count(object, "total_num_allocations", stats->answer.view.allocations);
    json_put_count(object, "total_bytes_allocated", stats->answer.view.allocated_bytes);
    json_object_set_new(object, "allocation_size_histogram", sizes_to_json(stats));
    json_object_set_new(object, "allocator_type_distribution", allocators_to_json(stats));
    json_object_set_new(object, "top_allocations_by_size",
                        locations_to_json(stats, compare_bytes, "size"));
    json_object_set_new(object, "top_allocations_by_count",
                        locations_to_json(stats, compare_allocations, "count"));
    json_object_set_new(object, "top_modules_by_allocation_size",
                        modules_to_json(stats, compare_bytes));
    json_object_set_new(object, "top_modules_by_allocation_count",
                        modules_to_json(stats, compare_allocations));
    json_object_set_new(object, "metadata", metadata_to_json(stats));
    return object;
}

bool export_memray(FILE *stream, struct recording *recording, const struct query *query)
{
    CLEANUP(stats_deinit) struct stats stats;
    if (!stats_init(&stats, recording, query))
        return false;
    json_t *object = stats_to_json(&stats);
    json_print_file(stream, object);
    return true;
}
