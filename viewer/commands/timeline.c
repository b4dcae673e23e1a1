/*
 * heapline timeline: memory over time.
 *
 * A column of the drawing is the most in its time: the heap's by the recording's own marks,
 * resident memory by the samples. Several processes are added up column by column; what each one
 * held most need not have been at one time, so no sum is more than the peak of all.
 */
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "allocators.h"
#include "viewer/base/cleanup.h"
#include "viewer/base/memory.h"
#include "viewer/base/size.h"
#include "viewer/base/terminal.h"
#include "viewer/cli/query_options.h"
#include "viewer/commands/commands.h"
#include "viewer/format/json_values.h"
#include "viewer/format/table.h"
#include "viewer/format/timeline_text.h"
#include "viewer/history/moment.h"
#include "viewer/question/grouping.h"
#include "viewer/question/peak.h"
#include "viewer/recording/command_line.h"
#include "viewer/recording/samples.h"

#define COMMAND_NAME "heapline timeline"

#define ALLOCATOR_COLUMN(constant, name) name ","

static const struct option_spec specs[] = {
    {0, "pid", "PID", "only of this process (repeatable)", QUERY_OPTION_PID},
    FORM_SPEC_JSON("print the samples as JSON"),
    FORM_SPEC_CSV("print the samples as CSV"),
    FORM_SPEC_NO_COLOR,
    FORM_SPEC_HELP,
};

/* The chosen processes and their samples. */
struct timeline {
    struct recording *recording; /* not owned */
    size_t *processes;
    struct samples *samples;
    size_t count;
    struct peak peak;    /* of their sum */
    struct peak touched; /* of what they had touched */
    bool is_parted;      /* that is much less: it is what is drawn */
};

/* --- what is shown --- */

static bool timeline_init(struct timeline *timeline, const struct query *query,
                          struct recording *recording)
{
    *timeline = (struct timeline){.recording = recording};
    timeline->processes = memory_new(recording->process_count, sizeof *timeline->processes);
    timeline->samples = memory_new(recording->process_count, sizeof *timeline->samples);
    for (size_t i = 0; i < recording->process_count; i++) {
        if (!query_wants_process(query, &recording->processes[i]))
            continue;
        timeline->processes[timeline->count] = i;
        if (!samples_init(&timeline->samples[timeline->count++], recording, i))
            return false;
    }
    if (!timeline->count)
        return database_refuse(&recording->database,
                               "%s has no process to show; see heapline report --by process",
                               recording->database.path);
    peak_init_touched(&timeline->touched, recording, timeline->processes, timeline->count);
    if (!peak_init(&timeline->peak, recording, timeline->processes, timeline->count))
        return false;
    timeline->is_parted = timeline->touched.is_known && timeline->touched.bytes &&
                          peaks_part(timeline->touched.bytes, timeline->peak.bytes);
    return true;
}

static void timeline_deinit(struct timeline *timeline)
{
    for (size_t i = 0; i < timeline->count; i++)
        samples_deinit(&timeline->samples[i]);
    peak_deinit(&timeline->peak);
    peak_deinit(&timeline->touched);
    free(timeline->samples);
    free(timeline->processes);
}

static const struct process *process_at(const struct timeline *timeline, size_t number)
{
    return &timeline->recording->processes[timeline->processes[number]];
}

/* --- for programs --- */

static json_t *optional_number(int64_t number)
{
    return number < 0 ? json_null() : json_integer(number);
}

static json_t *sample_to_json(const struct sample *sample)
{
    json_t *object = json_object();
    json_object_set_new(object, "time", json_real(sample->time));
    for (size_t i = 0; i < WIRE_ALLOCATOR_COUNT; i++)
        json_object_set_new(object, allocator_names[i],
                            json_integer((json_int_t)sample->by_allocator[i]));
    json_object_set_new(object, "most_bytes", json_integer((json_int_t)sample->most));
    json_object_set_new(object, "touched", json_integer((json_int_t)sample->most_touched));
    json_object_set_new(object, "resident", optional_number(sample->resident));
    json_object_set_new(object, "proportional", optional_number(sample->proportional));
    json_object_set_new(object, "swapped", optional_number(sample->swapped));
    return object;
}

static json_t *samples_to_json(const struct samples *samples)
{
    json_t *list = json_array();
    for (size_t i = 0; i < samples->count; i++)
        json_array_append_new(list, sample_to_json(&samples->list[i]));
    return list;
}

static void put_peak(json_t *object, uint64_t bytes, double time)
{
    json_object_set_new(object, "peak_bytes", json_integer((json_int_t)bytes));
    json_object_set_new(object, "peak_time", isnan(time) ? json_null() : json_real(time));
}

static void print_json(const struct timeline *timeline)
{
    json_t *processes = json_array();
    CLEANUP(samples_deinit) struct samples sum;
    samples_sum(&sum, timeline->samples, timeline->count, timeline->peak.bytes);
    for (size_t i = 0; i < timeline->count; i++) {
        const struct process *process = process_at(timeline, i);
        json_t *object = json_object();
        json_object_set_new(object, "pid", json_integer(process->pid));
        put_peak(object, process->sums.peak_bytes, process->peak_time);
        json_object_set_new(object, "samples", samples_to_json(&timeline->samples[i]));
        json_array_append_new(processes, object);
    }
    json_t *all = json_pack("{s:o,s:o}", "heapline", json_about(), "processes", processes);
    put_peak(all, timeline->peak.bytes, timeline->peak.time);
    json_object_set_new(all, "sum", samples_to_json(&sum));
    json_print_file(stdout, all);
}

static void print_csv_number(int64_t number)
{
    if (number < 0)
        putchar(',');
    else
        printf(",%lld", (long long)number);
}

static void print_csv(const struct timeline *timeline)
{
    puts("pid,time," ALLOCATORS(
        ALLOCATOR_COLUMN) "most_bytes,resident,proportional,swapped,touched");
    for (size_t i = 0; i < timeline->count; i++)
        for (size_t j = 0; j < timeline->samples[i].count; j++) {
            const struct sample *sample = &timeline->samples[i].list[j];
            printf("%lld,%.6f", (long long)process_at(timeline, i)->pid, sample->time);
            for (size_t k = 0; k < WIRE_ALLOCATOR_COUNT; k++)
                print_csv_number((int64_t)sample->by_allocator[k]);
            print_csv_number((int64_t)sample->most);
            print_csv_number(sample->resident);
            print_csv_number(sample->proportional);
            print_csv_number(sample->swapped);
            print_csv_number((int64_t)sample->most_touched);
            putchar('\n');
        }
}

/* --- for people --- */

static size_t column_of(const struct drawing *drawing, double time)
{
    double column = drawing->seconds > 0 ? time / drawing->seconds * (double)drawing->columns : 0;
    return column < (double)drawing->columns ? (size_t)column : drawing->columns - 1;
}

/* A slice reaches from the sample before to its own; it counts in every column that it touches. */
static void draw_slice(const struct sample *sample, uint64_t most, size_t from, size_t to,
                       uint64_t *heap, uint64_t *resident)
{
    for (size_t column = from; column <= to; column++) {
        if (most > heap[column])
            heap[column] = most;
        if (sample->resident > 0 && (uint64_t)sample->resident > resident[column])
            resident[column] = (uint64_t)sample->resident;
    }
}

static void draw_process(const struct process *process, const struct samples *samples,
                         bool is_touched, const struct drawing *drawing)
{
    CLEANUP(cleanup_free) uint64_t *heap = memory_new(drawing->columns, sizeof *heap);
    CLEANUP(cleanup_free) uint64_t *resident = memory_new(drawing->columns, sizeof *resident);
    double before = isnan(process->started) ? 0 : process->started;
    for (size_t i = 0; i < samples->count; i++) {
        const struct sample *sample = &samples->list[i];
        size_t from = column_of(drawing, before), to = column_of(drawing, sample->time);
        draw_slice(sample, is_touched ? sample->most_touched : sample->most, from < to ? from : to,
                   to, heap, resident);
        before = sample->time;
    }
    for (size_t i = 0; i < drawing->columns; i++) {
        drawing->heap[i] += heap[i];
        drawing->resident[i] += resident[i];
    }
}

static const struct peak *shown_peak(const struct timeline *timeline)
{
    return timeline->is_parted ? &timeline->touched : &timeline->peak;
}

static void print_legend(const struct timeline *timeline, struct colours colours)
{
    const struct peak *peak = shown_peak(timeline);
    printf("  %s█%s heap%s, %s─%s resident memory", colours.number, colours.plain,
           timeline->is_parted ? " that was touched" : "", colours.warning, colours.plain);
    if (timeline->count > 1)
        printf(" of %zu processes, added up", timeline->count);
    if (peak->is_known)
        printf(", ▲ peak: %s after %s", size_format(peak->bytes).text,
               seconds_format(peak->time).text);
    if (timeline->is_parted)
        printf("\n  %s were asked for at most", size_format(timeline->peak.bytes).text);
    putchar('\n');
}

static void print_drawing(const struct timeline *timeline, bool no_color)
{
    const struct recording *recording = timeline->recording;
    size_t width = terminal_columns(STDOUT_FILENO);
    struct colours colours = colours_for(STDOUT_FILENO, no_color);
    struct drawing drawing = {
        .columns = drawing_columns(width),
        .seconds = run_length(recording),
        .peak_time = shown_peak(timeline)->time,
    };
    drawing.heap = memory_new(drawing.columns, sizeof *drawing.heap);
    drawing.resident = memory_new(drawing.columns, sizeof *drawing.resident);
    CLEANUP(cleanup_free) char *command = name_of_command(recording->run.command);
    print_cut(stdout, width, command);
    for (size_t i = 0; i < timeline->count; i++)
        draw_process(process_at(timeline, i), &timeline->samples[i], timeline->is_parted, &drawing);
    for (size_t i = 0; i < drawing.columns; i++)
        if (drawing.heap[i] > shown_peak(timeline)->bytes)
            drawing.heap[i] = shown_peak(timeline)->bytes;
    drawing_print(stdout, &drawing, colours);
    print_legend(timeline, colours);
    free(drawing.heap);
    free(drawing.resident);
}

static int timeline_show(struct request *request, struct recording *recording)
{
    CLEANUP(timeline_deinit) struct timeline timeline;
    progress_silence(recording->database.progress);
    if (!timeline_init(&timeline, &request->query, recording))
        return request_fail_reading(request, recording);
    if (request->form.json)
        print_json(&timeline);
    else if (request->form.csv)
        print_csv(&timeline);
    else
        print_drawing(&timeline, request->form.no_color);
    return request_finish(request);
}

const struct subcommand command_timeline = {
    .name = COMMAND_NAME,
    .summary = "memory over time, drawn in the terminal",
    .usage =
        "Usage: heapline timeline [OPTION...] [RUN]\n\n"
        "Draws how much memory a recorded program held over time: its heap, and, where that is\n"
        "more, what the kernel counted as resident. The peak is marked.\n",
    .options = OPTION_TABLE(specs, NULL),
    .files_most = 1,
    .check = request_check_form,
    .show = timeline_show,
};
