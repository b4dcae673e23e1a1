/*
 * The report as one JSON object. Keys stand in the order in which they are documented; numbers that
 * are not known are null.
 */
#include "viewer/format/json_values.h"
#include "viewer/format/process_json.h"
#include "viewer/format/report.h"
#include "viewer/format/row_key.h"

static json_t *processes_to_json(const struct recording *recording, const struct answer *answer)
{
    json_t *list = json_array();
    for (size_t i = 0; i < answer->process_count; i++)
        json_array_append_new(
            list, process_to_json(recording, &recording->processes[answer->processes[i]]));
    return list;
}

/* Null where it is not known. */
static void put_touched(json_t *object, const struct totals *totals)
{
    bool known = totals->touched_is_known;
    json_object_set_new(object, "touched_peak_bytes",
                        known ? json_integer((json_int_t)totals->touched_bytes) : json_null());
    json_put_seconds(object, "touched_peak_time", totals->touched_time);
    json_object_set_new(object, "touched_error_bytes",
                        known ? json_integer((json_int_t)totals->touched_error) : json_null());
}

static void put_resident(json_t *object, const struct totals *totals)
{
    bool known = totals->resident_bytes;
    json_object_set_new(object, "resident_peak_bytes",
                        known ? json_integer((json_int_t)totals->resident_bytes) : json_null());
    json_put_seconds(object, "resident_peak_time", totals->resident_time);
}

static json_t *totals_to_json(const struct totals *totals)
{
    json_t *object = json_object();
    json_put_count(object, "peak_bytes", totals->sums.peak_bytes);
    json_put_seconds(object, "peak_time", totals->peak_time);
    put_touched(object, totals);
    put_resident(object, totals);
    totals_put_json(object, totals);
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
    json_put_seconds(object, "time", answer->time);
    if (query->temporary)
        json_put_count(object, "temporary", query->temporary);
    if (query->between) {
        json_put_text(object, "from", moment_text(&query->from));
        json_put_seconds(object, "from_time", answer->from_time);
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

/* Those of native code. */
static json_t *modules_to_json(const struct symbols *symbols)
{
    json_t *list = json_array();
    for (size_t i = 0; i < symbols->module_count; i++) {
        const struct module *module = &symbols->modules[i];
        if (!module->path)
            continue;
        json_t *object = json_object();
        json_put_text(object, "path", module->path);
        json_put_text(object, "build_id", module->build_id);
        json_put_text(object, "note", module->note);
        json_array_append_new(list, object);
    }
    return list;
}

json_t *report_outer_to_json(const struct answer *answer)
{
    const struct recording *recording = answer->grouping.recording;
    json_t *report = json_object();
    json_object_set_new(report, "heapline", json_about());
    json_object_set_new(report, "run", run_to_json(recording));
    json_object_set_new(report, "processes", processes_to_json(recording, answer));
    json_object_set_new(report, "totals", totals_to_json(&answer->totals));
    json_object_set_new(report, "modules", modules_to_json(&recording->symbols));
    return report;
}

void report_print_json(FILE *stream, const struct answer *answer)
{
    json_t *report = report_outer_to_json(answer);
    json_object_set_new(report, "view", view_to_json(answer));
    json_object_set_new(report, "rows", rows_to_json(answer));
    json_print_file(stream, report);
}
