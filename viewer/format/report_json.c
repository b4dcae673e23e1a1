/*
 * The report as one JSON object. Keys stand in the order in which they are documented; numbers that
 * are not known are null.
 */
#include <math.h>
#include <string.h>
#include <time.h>

#include "store.h"
#include "viewer/cleanup.h"
#include "viewer/format/report.h"
#include "viewer/format/utf8.h"

/* Microseconds after a month of running, and no noise of binary fractions. */
#define DIGITS 13

static void put_text(json_t *object, const char *key, const char *text)
{
    json_object_set_new(object, key, text ? json_string(text) : json_null());
}

static void put_count(json_t *object, const char *key, uint64_t count)
{
    json_object_set_new(object, key, json_integer((json_int_t)count));
}

static void put_seconds(json_t *object, const char *key, double seconds)
{
    json_object_set_new(object, key, isnan(seconds) ? json_null() : json_real(seconds));
}

/* A number of which `absent` means that there is none. */
static void put_optional(json_t *object, const char *key, int64_t number, int64_t absent)
{
    json_object_set_new(object, key, number == absent ? json_null() : json_integer(number));
}

static json_t *run_to_json(const struct recording *recording)
{
    const struct run *run = &recording->run;
    json_t *object = json_object();
    char started[32] = "";
    struct tm time;
    time_t seconds = (time_t)floor(run->started);
    if (gmtime_r(&seconds, &time))
        strftime(started, sizeof started, "%Y-%m-%dT%H:%M:%SZ", &time);
    CLEANUP(cleanup_free)
    char *file = utf8_clean(recording->database.path, strlen(recording->database.path));
    put_text(object, "file", file);
    json_object_set(object, "command", run->command);
    put_text(object, "started", started);
    put_seconds(object, "seconds", run->seconds);
    json_object_set_new(object, "complete", json_boolean(run->complete));
    put_count(object, "lost_events", recording_lost_events(recording));
    return object;
}

static json_t *process_to_json(const struct process *process)
{
    json_t *object = json_object();
    json_object_set_new(object, "pid", json_integer(process->pid));
    put_optional(object, "parent", process->parent, 0);
    json_object_set(object, "command", process->command);
    put_text(object, "python", process->python);
    put_optional(object, "exit_status", process->exit_status, -1);
    put_optional(object, "signal", process->signal, 0);
    put_count(object, "peak_bytes", process->sums.peak_bytes);
    put_count(object, "end_bytes", process->sums.end_bytes);
    put_count(object, "leaked_bytes", process->sums.leaked_bytes);
    put_count(object, "allocations", process->sums.allocations);
    put_count(object, "frees", process->frees);
    put_count(object, "allocated_bytes", process->sums.allocated_bytes);
    return object;
}

static json_t *processes_to_json(const struct recording *recording, const struct answer *answer)
{
    json_t *list = json_array();
    for (size_t i = 0; i < answer->process_count; i++)
        json_array_append_new(list, process_to_json(&recording->processes[answer->processes[i]]));
    return list;
}

static json_t *totals_to_json(const struct totals *totals)
{
    json_t *object = json_object();
    put_count(object, "peak_bytes", totals->sums.peak_bytes);
    put_seconds(object, "peak_time", totals->peak_time);
    put_count(object, "end_bytes", totals->sums.end_bytes);
    put_count(object, "end_blocks", totals->sums.end_blocks);
    put_count(object, "leaked_bytes", totals->sums.leaked_bytes);
    put_count(object, "leaked_blocks", totals->sums.leaked_blocks);
    put_count(object, "allocated_bytes", totals->sums.allocated_bytes);
    put_count(object, "allocations", totals->sums.allocations);
    put_count(object, "frees", totals->frees);
    return object;
}

static json_t *view_to_json(const struct answer *answer)
{
    json_t *object = json_object();
    put_text(object, "at", moment_names[answer->query.moment]);
    put_seconds(object, "time", answer->time);
    put_text(object, "by", group_names[answer->query.by]);
    json_object_set_new(object, "cumulative", json_boolean(answer->query.cumulative));
    put_count(object, "bytes", answer->view.bytes);
    put_count(object, "blocks", answer->view.blocks);
    put_count(object, "rows_omitted", answer->rows_omitted);
    return object;
}

/* Adds the parts of a place that the grouping tells apart. */
static void put_frame(json_t *object, const struct frame *frame, enum group_by by)
{
    put_text(object, "file", frame->file);
    if (by == GROUP_BY_LINE)
        json_object_set_new(object, "line", frame->file ? json_integer(frame->line) : json_null());
    if (by != GROUP_BY_FILE)
        put_text(object, "function", frame->function);
}

static json_t *stack_to_json(const struct recording *recording, uint32_t node)
{
    const struct stacks *stacks = &recording->stacks;
    json_t *list = json_array();
    size_t depth = stacks_depth(stacks, node);
    for (size_t i = 0; i < depth; i++)
        json_array_append_new(list, json_object());
    for (; node; node = stacks->parent[node])
        put_frame(json_array_get(list, --depth), &recording->symbols.frames[stacks->location[node]],
                  GROUP_BY_LINE);
    return list;
}

static void put_key(json_t *object, const struct grouping *grouping, uint32_t key)
{
    const struct recording *recording = grouping->recording;
    if (grouping->by == GROUP_BY_STACK) {
        json_object_set_new(object, "stack", stack_to_json(recording, key));
        return;
    }
    uint32_t member = grouping->members[key];
    switch (grouping->by) {
    case GROUP_BY_THREAD:
        put_text(object, "thread", recording->symbols.threads[member].name);
        json_object_set_new(object, "tid", json_integer(recording->symbols.threads[member].tid));
        break;
    case GROUP_BY_ALLOCATOR:
        put_text(object, "allocator", allocator_names[member]);
        break;
    case GROUP_BY_SIZE:
        put_count(object, "size_min", size_class_least(member));
        put_count(object, "size_max", size_class_most(member));
        break;
    case GROUP_BY_PROCESS:
        json_object_set_new(object, "pid", json_integer(recording->processes[member].pid));
        break;
    default:
        put_frame(object, grouping_frame(grouping, key), grouping->by);
    }
}

static json_t *rows_to_json(const struct answer *answer)
{
    json_t *list = json_array();
    for (size_t i = 0; i < answer->row_count; i++) {
        const struct row *row = &answer->rows[i];
        json_t *object = json_object();
        put_key(object, &answer->grouping, row->key);
        put_count(object, "bytes", row->bytes);
        put_count(object, "blocks", row->blocks);
        put_count(object, "allocated_bytes", row->allocated_bytes);
        put_count(object, "allocations", row->allocations);
        json_array_append_new(list, object);
    }
    return list;
}

void report_print_json(FILE *stream, const struct answer *answer)
{
    const struct recording *recording = answer->grouping.recording;
    json_t *report = json_object();
    json_t *about = json_object();
    json_object_set_new(about, "format", json_integer(STORE_FORMAT));
    put_text(about, "version", HEAPLINE_VERSION);
    json_object_set_new(report, "heapline", about);
    json_object_set_new(report, "run", run_to_json(recording));
    json_object_set_new(report, "processes", processes_to_json(recording, answer));
    json_object_set_new(report, "totals", totals_to_json(&answer->totals));
    json_object_set_new(report, "view", view_to_json(answer));
    json_object_set_new(report, "rows", rows_to_json(answer));
    json_dumpf(report, stream, JSON_INDENT(2) | JSON_REAL_PRECISION(DIGITS));
    fputc('\n', stream);
    json_decref(report);
}
