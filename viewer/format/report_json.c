/*
 * The report as one JSON object. Keys stand in the order in which they are documented; numbers that
 * are not known are null.
 */
#include <math.h>
#include <string.h>
#include <time.h>

#include "viewer/cleanup.h"
#include "viewer/format/json_values.h"
#include "viewer/format/report.h"
#include "viewer/format/row_key.h"
#include "viewer/format/utf8.h"

/* Microseconds after a month of running, and no noise of binary fractions. */
#define DIGITS 13

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
    json_put_text(object, "file", file);
    json_object_set(object, "command", run->command);
    json_put_text(object, "started", started);
    put_seconds(object, "seconds", run->seconds);
    json_object_set_new(object, "complete", json_boolean(run->complete));
    json_put_count(object, "lost_events", recording_lost_events(recording));
    return object;
}

static json_t *process_to_json(const struct process *process)
{
    json_t *object = json_object();
    json_object_set_new(object, "pid", json_integer(process->pid));
    put_optional(object, "parent", process->parent, 0);
    json_object_set(object, "command", process->command);
    json_put_text(object, "python", process->python);
    put_optional(object, "exit_status", process->exit_status, -1);
    put_optional(object, "signal", process->signal, 0);
    json_put_count(object, "peak_bytes", process->sums.peak_bytes);
    json_put_count(object, "end_bytes", process->sums.end_bytes);
    json_put_count(object, "leaked_bytes", process->sums.leaked_bytes);
    json_put_count(object, "allocations", process->sums.allocations);
    json_put_count(object, "frees", process->frees);
    json_put_count(object, "allocated_bytes", process->sums.allocated_bytes);
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
    json_put_count(object, "peak_bytes", totals->sums.peak_bytes);
    put_seconds(object, "peak_time", totals->peak_time);
    json_put_count(object, "end_bytes", totals->sums.end_bytes);
    json_put_count(object, "end_blocks", totals->sums.end_blocks);
    json_put_count(object, "leaked_bytes", totals->sums.leaked_bytes);
    json_put_count(object, "leaked_blocks", totals->sums.leaked_blocks);
    json_put_count(object, "allocated_bytes", totals->sums.allocated_bytes);
    json_put_count(object, "allocations", totals->sums.allocations);
    json_put_count(object, "frees", totals->frees);
    return object;
}

/* What only a span has. */
static void put_freed(json_t *object, const struct row *row)
{
    json_put_count(object, "freed_bytes", row->freed_bytes);
    json_put_count(object, "freed_blocks", row->freed_blocks);
    json_object_set_new(object, "net_bytes",
                        json_integer((json_int_t)row->bytes - (json_int_t)row->freed_bytes));
}

static json_t *view_to_json(const struct answer *answer)
{
    const struct query *query = &answer->query;
    json_t *object = json_object();
    bool is_moment = !query->between && !query->temporary;
    json_put_text(object, "at", is_moment ? moment_text(&query->at) : NULL);
    put_seconds(object, "time", answer->time);
    if (query->temporary)
        json_put_count(object, "temporary", query->temporary);
    if (query->between) {
        json_put_text(object, "from", moment_text(&query->from));
        put_seconds(object, "from_time", answer->from_time);
        json_put_text(object, "to", moment_text(&query->to));
        put_freed(object, &answer->view);
    }
    json_object_set_new(object, "exact", json_boolean(!answer->by_slices));
    json_put_text(object, "by", group_names[query->by]);
    json_object_set_new(object, "cumulative", json_boolean(query->cumulative));
    json_put_count(object, "bytes", answer->view.bytes);
    json_put_count(object, "blocks", answer->view.blocks);
    json_put_count(object, "rows_omitted", answer->rows_omitted);
    return object;
}

static json_t *rows_to_json(const struct answer *answer)
{
    json_t *list = json_array();
    for (size_t i = 0; i < answer->row_count; i++) {
        const struct row *row = &answer->rows[i];
        json_t *object = json_object();
        row_key_to_json(object, &answer->grouping, row->key);
        json_put_count(object, "bytes", row->bytes);
        json_put_count(object, "blocks", row->blocks);
        json_put_count(object, "allocated_bytes", row->allocated_bytes);
        json_put_count(object, "allocations", row->allocations);
        if (answer->query.between)
            put_freed(object, row);
        json_array_append_new(list, object);
    }
    return list;
}

void report_print_json(FILE *stream, const struct answer *answer)
{
    const struct recording *recording = answer->grouping.recording;
    json_t *report = json_object();
    json_object_set_new(report, "heapline", json_about());
    json_object_set_new(report, "run", run_to_json(recording));
    json_object_set_new(report, "processes", processes_to_json(recording, answer));
    json_object_set_new(report, "totals", totals_to_json(&answer->totals));
    json_object_set_new(report, "view", view_to_json(answer));
    json_object_set_new(report, "rows", rows_to_json(answer));
    json_dumpf(report, stream, JSON_INDENT(2) | JSON_REAL_PRECISION(DIGITS));
    fputc('\n', stream);
    json_decref(report);
}
