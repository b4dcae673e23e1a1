/*
 * Counter tracks in Chrome's trace event format, for Perfetto and chrome://tracing: of each process
 * what its heap holds by allocator, the most that it held, and resident memory. Times are
 * microseconds from the run's start.
 *
 * A counter keeps its value until the next event. So the most of a slice of time stands at the
 * slice's beginning, all else at its end; and when a process ends, its counters go back to zero.
 */
#include <math.h>

#include "allocators.h"
#include "viewer/base/cleanup.h"
#include "viewer/export/export.h"
#include "viewer/format/json_values.h"
#include "viewer/question/grouping.h"
#include "viewer/recording/command_line.h"
#include "viewer/recording/samples.h"

#define NAME_HEAP     "heap"
#define NAME_MOST     "heap, at most"
#define NAME_RESIDENT "resident"

struct trace {
    FILE *stream;
    bool has_event;
    int64_t pid; /* of the process at hand */
};

/* Takes the arguments over. A time of NaN is none. */
static void put_event(struct trace *trace, const char *kind, const char *name, double time,
                      json_t *arguments)
{
    json_t *event =
        json_pack("{s:s,s:s,s:I}", "ph", kind, "name", name, "pid", (json_int_t)trace->pid);
    if (!isnan(time))
        json_object_set_new(event, "ts", json_integer(llround(time * 1e6)));
    json_object_set_new(event, "args", arguments);
    fputs(trace->has_event ? ",\n" : "\n", trace->stream);
    trace->has_event = true;
    json_print(trace->stream, event);
}

static void put_counter(struct trace *trace, const char *name, double time, int64_t bytes)
{
    if (bytes >= 0)
        put_event(trace, "C", name, time, json_pack("{s:I}", "bytes", (json_int_t)bytes));
}

static void put_heap(struct trace *trace, const struct sample *sample)
{
    json_t *arguments = json_object();
    for (unsigned i = 0; i < WIRE_ALLOCATOR_COUNT && !allocator_is_apart(i); i++)
        json_put_count(arguments, allocator_names[i], sample->by_allocator[i]);
    put_event(trace, "C", NAME_HEAP, sample->time, arguments);
}

static void put_name(struct trace *trace, const struct process *process)
{
    CLEANUP(cleanup_free) char *command = name_of_command(process->command);
    put_event(trace, "M", "process_name", NAN, json_pack("{s:s}", "name", command));
}

static void put_samples(struct trace *trace, const struct samples *samples, double started)
{
    double before = isnan(started) ? 0 : started;
    for (size_t i = 0; i < samples->count; i++) {
        const struct sample *sample = &samples->list[i];
        put_heap(trace, sample);
        put_counter(trace, NAME_MOST, fmin(before, sample->time), (int64_t)sample->most);
        put_counter(trace, NAME_RESIDENT, sample->time, sample->resident);
        before = sample->time;
    }
}

static void put_end(struct trace *trace, double time)
{
    put_heap(trace, &(struct sample){.time = time});
    put_counter(trace, NAME_MOST, time, 0);
    put_counter(trace, NAME_RESIDENT, time, 0);
}

static bool put_process(struct trace *trace, struct recording *recording, size_t number)
{
    const struct process *process = &recording->processes[number];
    CLEANUP(samples_deinit) struct samples samples;
    if (!samples_init(&samples, recording, number))
        return false;
    trace->pid = process->pid;
    put_name(trace, process);
    put_samples(trace, &samples, process->started);
    if (!isnan(process->ended))
        put_end(trace, process->ended);
    return true;
}

bool export_chrome(FILE *stream, struct recording *recording, const struct query *query)
{
    struct trace trace = {.stream = stream};
    fputs("{\"displayTimeUnit\":\"ms\",\"otherData\":", stream);
    json_print(stream, json_about());
    fputs(",\"traceEvents\":[", stream);
    for (size_t i = 0; i < recording->process_count; i++)
        if (query_wants_process(query, &recording->processes[i]) &&
            !put_process(&trace, recording, i))
            return false;
    fputs("]}\n", stream);
    return true;
}
