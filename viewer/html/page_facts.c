/*
 * Processes are listed in the order of the recording, but not more than a page can show: those that
 * held most. Command lines are cut where they are long.
 */
#include "viewer/html/page_facts.h"

#include <math.h>
#include <stdlib.h>

#include "viewer/base/cleanup.h"
#include "viewer/base/memory.h"
#include "viewer/base/order.h"
#include "viewer/format/json_values.h"
#include "viewer/format/process_json.h"
#include "viewer/history/moment.h"
#include "viewer/html/page_names.h"

#define PROCESSES_MAX  400u
#define WORDS_MAX      100u
#define WORD_BYTES_MAX 400u
#define NO_NUMBER      UINT32_MAX

/* A command line in a size for a page. */
static json_t *command_to_json(const json_t *command)
{
    json_t *list = json_array();
    size_t count = json_array_size(command);
    for (size_t i = 0; i < count && i < WORDS_MAX; i++) {
        const char *word = json_string_value(json_array_get(command, i));
        CLEANUP(cleanup_free) char *cut = page_text_cut(word ? word : "", WORD_BYTES_MAX);
        json_array_append_new(list, json_string(cut));
    }
    if (count > WORDS_MAX) {
        CLEANUP(cleanup_free) char *rest = memory_print("… (%zu more)", count - WORDS_MAX);
        json_array_append_new(list, json_string(rest));
    }
    return list;
}

/* --- processes --- */

static int compare_peaks(const void *a, const void *b, void *recording)
{
    const struct process *processes = ((const struct recording *)recording)->processes;
    size_t one = *(const size_t *)a, other = *(const size_t *)b;
    return ORDER(processes[other].sums.peak_bytes, processes[one].sums.peak_bytes)
               ?: ORDER(one, other);
}

/* By process of the recording: its number on the page, or NO_NUMBER. */
static uint32_t *number_processes(const struct page_rows *rows)
{
    const struct recording *recording = rows->recording;
    uint32_t *numbers = memory_new(recording->process_count, sizeof *numbers);
    CLEANUP(cleanup_free) size_t *order = memory_new(rows->processes.count, sizeof *order);
    for (size_t i = 0; i < recording->process_count; i++)
        numbers[i] = NO_NUMBER;
    for (size_t i = 0; i < rows->processes.count; i++)
        order[i] = rows->processes.list[i];
    qsort_r(order, rows->processes.count, sizeof *order, compare_peaks,
            (void *)(uintptr_t)recording);
    for (size_t i = 0; i < rows->processes.count && i < PROCESSES_MAX; i++)
        numbers[order[i]] = 0;
    uint32_t number = 0;
    for (size_t i = 0; i < recording->process_count; i++)
        if (numbers[i] != NO_NUMBER)
            numbers[i] = number++;
    return numbers;
}

static json_t *page_process_to_json(const struct page_facts *facts, size_t number)
{
    const struct process *process = &facts->rows->recording->processes[number];
    json_t *object = process_to_json(facts->rows->recording, process);
    json_object_set_new(object, "command", command_to_json(process->command));
    json_put_seconds(object, "end_time", process->end_time);
    json_object_set_new(object, "end_seen", json_boolean(process->end_seen));
    json_put_count(object, "peak_blocks", process->sums.peak_blocks);
    json_put_count(object, "end_blocks", process->sums.end_blocks);
    json_put_count(object, "leaked_blocks", process->sums.leaked_blocks);
    json_put_count(object, "unmatched_frees", process->unmatched_frees);
    json_put_count(object, "lost_events", process->lost_events);
    json_object_set_new(object, "python_stacks", json_boolean(process->python_stacks));
    if (facts->settings[number])
        json_object_set(object, "environment", facts->settings[number]);
    json_object_set_new(object, "whole_history", json_boolean(facts->is_whole[number]));
    return object;
}

static json_t *processes_to_json(const struct page_facts *facts, const uint32_t *numbers)
{
    json_t *list = json_array();
    for (size_t i = 0; i < facts->rows->recording->process_count; i++)
        if (numbers[i] != NO_NUMBER)
            json_array_append_new(list, page_process_to_json(facts, i));
    return list;
}

/* --- threads, curves --- */

static json_t *number_to_json(uint32_t number)
{
    return number == NO_NUMBER ? json_null() : json_integer(number);
}

static json_t *thread_to_json(const struct page_facts *facts, const uint32_t *numbers,
                              const struct page_thread *thread)
{
    const struct symbols *symbols = &facts->rows->recording->symbols;
    json_t *object = json_object();
    uint32_t process = thread->process == PAGE_REST ? NO_NUMBER : numbers[thread->process];
    json_object_set_new(object, "process", number_to_json(process));
    if (thread->thread == PAGE_REST) {
        json_put_count(object, "summed", thread->summed);
        return object;
    }
    CLEANUP(cleanup_free)
    char *name = page_text_cut(symbols->threads[thread->thread].name, WORD_BYTES_MAX);
    json_object_set_new(object, "tid", json_integer(symbols->threads[thread->thread].tid));
    json_put_text(object, "name", name);
    return object;
}

static json_t *threads_to_json(const struct page_facts *facts, const uint32_t *numbers)
{
    json_t *list = json_array();
    for (uint32_t i = 0; i < facts->rows->threads.count; i++)
        json_array_append_new(list, thread_to_json(facts, numbers, &facts->rows->threads.list[i]));
    return list;
}

/* Whose each curve is. */
static json_t *curves_to_json(const struct curves *curves, const uint32_t *numbers)
{
    json_t *list = json_array();
    for (size_t i = 0; i < curves->count; i++)
        json_array_append_new(list, number_to_json(curves->list[i].process == CURVE_REST
                                                       ? NO_NUMBER
                                                       : numbers[curves->list[i].process]));
    return list;
}

/* --- sums --- */

static json_t *totals_to_json(const struct page_rows *rows)
{
    json_t *object = json_object();
    const struct peak *peak = rows->processes.peak;
    struct totals totals = {.run_end = *rows->processes.run_end};
    for (size_t i = 0; i < rows->processes.count; i++)
        totals_add(&totals, &rows->recording->processes[rows->processes.list[i]]);
    json_object_set_new(object, "peak_known", json_boolean(peak->is_known));
    json_put_count(object, "peak_bytes", peak->bytes);
    json_put_count(object, "peak_blocks", peak->blocks);
    json_put_seconds(object, "peak_time", peak->time);
    totals_put_json(object, &totals);
    return object;
}

/* What has been folded, summed up or made coarser. */
static json_t *limits_to_json(const struct page_facts *facts)
{
    const struct page_rows *rows = facts->rows;
    json_t *object = json_object();
    json_put_count(object, "stacks", rows->stack_count - 1);
    json_put_count(object, "stacks_kept", rows->kept_count - 1);
    json_put_count(object, "time_stacks_kept",
                   facts->changes->nodes_kept ? facts->changes->nodes_kept - 1
                                              : rows->kept_count - 1);
    json_put_count(object, "threads", rows->threads.found_count);
    json_put_count(object, "processes", rows->processes.count);
    json_put_count(object, "processes_of_run", rows->recording->process_count);
    json_put_count(object, "curves_summed", facts->curves->summed);
    json_object_set_new(object, "curves_played", json_boolean(facts->curves->is_played));
    json_put_count(object, "temporary", rows->query->temporary ? rows->query->temporary : 1);
    json_object_set_new(object, "inherited", json_boolean(rows->query->inherited));
    return object;
}

static json_t *page_run_facts(const struct recording *recording)
{
    const struct run *run = &recording->run;
    json_t *object = run_to_json(recording);
    json_object_set_new(object, "command", command_to_json(run->command));
    json_put_text(object, "directory", run->directory);
    json_put_seconds(object, "length", run_length(recording));
    json_object_set_new(object, "history", json_boolean(run->history));
    return object;
}

void page_facts_to_json(const struct page_facts *facts, json_t *object)
{
    CLEANUP(cleanup_free) uint32_t *numbers = number_processes(facts->rows);
    json_object_set_new(object, "run", page_run_facts(facts->rows->recording));
    json_object_set_new(object, "processes", processes_to_json(facts, numbers));
    json_object_set_new(object, "threads", threads_to_json(facts, numbers));
    json_object_set_new(object, "curves", curves_to_json(facts->curves, numbers));
    json_object_set_new(object, "totals", totals_to_json(facts->rows));
    json_object_set_new(object, "limits", limits_to_json(facts));
}
