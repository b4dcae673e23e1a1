/*
 * The objects "run" and those of "processes". Keys stand in the order in which they are documented.
 */
#include "viewer/format/process_json.h"

#include <math.h>
#include <string.h>
#include <time.h>

#include "viewer/base/cleanup.h"
#include "viewer/base/utf8.h"
#include "viewer/format/json_values.h"
#include "viewer/recording/endings.h"

/* A number of which `absent` means that there is none. */
static void put_optional(json_t *object, const char *key, int64_t number, int64_t absent)
{
    json_object_set_new(object, key, number == absent ? json_null() : json_integer(number));
}

/* What recordings say that know more of an ending. */
static void put_ending(json_t *object, const struct ending *ending)
{
    bool known = ending->is_told;
    json_put_text(object, "ending", ending_names[ending->kind]);
    json_object_set_new(object, "core_dumped",
                        known ? json_boolean(ending->core_dumped) : json_null());
    json_object_set_new(object, "out_of_memory",
                        known ? json_boolean(ending->out_of_memory) : json_null());
    put_optional(object, "collector_bytes", known ? (int64_t)ending->collector_bytes : -1, -1);
    put_optional(object, "failed_allocations", known ? (int64_t)ending->refused : -1, -1);
    put_optional(object, "largest_failed_bytes", known ? (int64_t)ending->most_refused : -1, -1);
}

/* Where the largest allocation that failed was asked for. */
static void put_refused_at(json_t *object, const struct frame *frame)
{
    bool has_line = frame && frame->line > 0;
    json_put_text(object, "largest_failed_file", frame ? frame->file : NULL);
    json_object_set_new(object, "largest_failed_line",
                        has_line ? json_integer(frame->line) : json_null());
    json_put_text(object, "largest_failed_function", frame ? frame->function : NULL);
}

json_t *process_to_json(const struct recording *recording, const struct process *process)
{
    json_t *object = json_object();
    json_object_set_new(object, "pid", json_integer(process->pid));
    put_optional(object, "parent", process->parent, 0);
    json_object_set(object, "command", process->command);
    json_put_text(object, "python", process->python);
    put_optional(object, "exit_status", process->exit_status, -1);
    put_optional(object, "signal", process->signal, 0);
    json_put_count(object, "peak_bytes", process->sums.peak_bytes);
    json_object_set_new(object, "touched_peak_bytes",
                        process->touched.is_known ? json_integer((json_int_t)process->touched.bytes)
                                                  : json_null());
    json_put_count(object, "end_bytes", process->sums.end_bytes);
    json_put_count(object, "leaked_bytes", process->sums.leaked_bytes);
    json_put_count(object, "allocations", process->sums.allocations);
    json_put_count(object, "frees", process->frees);
    json_put_count(object, "allocated_bytes", process->sums.allocated_bytes);
    json_put_seconds(object, "started", process->started);
    json_put_seconds(object, "ended", process->ended);
    json_put_seconds(object, "peak_time", process->peak_time);
    put_ending(object, &process->ending);
    put_refused_at(object, ending_refused_at(recording, process));
    return object;
}

void totals_put_json(json_t *object, const struct totals *totals)
{
    json_put_count(object, "end_bytes", totals->sums.end_bytes);
    json_put_count(object, "end_blocks", totals->sums.end_blocks);
    json_put_count(object, "leaked_bytes", totals->sums.leaked_bytes);
    json_put_count(object, "leaked_blocks", totals->sums.leaked_blocks);
    json_put_count(object, "allocated_bytes", totals->sums.allocated_bytes);
    json_put_count(object, "allocations", totals->sums.allocations);
    json_put_count(object, "frees", totals->frees);
    json_put_count(object, "run_end_bytes", totals->run_end.bytes);
    json_put_count(object, "run_end_blocks", totals->run_end.blocks);
    json_put_count(object, "run_end_processes", totals->run_end.processes);
}

json_t *run_to_json(const struct recording *recording)
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
    json_put_seconds(object, "seconds", run->seconds);
    json_object_set_new(object, "complete", json_boolean(run->complete));
    json_put_count(object, "lost_events", recording_lost_events(recording));
    json_object_set(object, "absences", run->absences);
    CLEANUP(cleanup_free)
    char *trouble = run->trouble ? utf8_clean(run->trouble, strlen(run->trouble)) : NULL;
    json_put_text(object, "trouble", trouble);
    return object;
}
