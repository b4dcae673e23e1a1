/*
 * Choosing what the peak is taken from.
 */
#include "viewer/question/peak.h"

#include <math.h>
#include <stdlib.h>

#include "viewer/base/memory.h"

/* Where a process stands at its own peak. */
static struct peak_position own_position(const struct process *process, bool is_touched)
{
    const struct touched *touched = &process->touched;
    if (is_touched)
        return (struct peak_position){true, touched->events, touched->bytes, touched->blocks};
    return (struct peak_position){
        .lived = true,
        .events = process->peak_events,
        .bytes = process->sums.peak_bytes,
        .blocks = process->sums.peak_blocks,
    };
}

/* At a time at which a process does not live it holds nothing: it has not begun, or has ended. */
static struct peak_position absent_position(const struct process *process, double time)
{
    return (struct peak_position){.events = process->started >= time ? 0 : process->events};
}

/* Each one's own peak. */
static void take_own(struct peak *peak, const struct recording *recording, const size_t *processes,
                     size_t count)
{
    peak->bytes = peak->blocks = 0;
    for (size_t i = 0; i < count; i++) {
        const struct process *process = &recording->processes[processes[i]];
        struct peak_position position = own_position(process, peak->is_touched);
        peak->positions[processes[i]] = position;
        peak->bytes += position.bytes;
        peak->blocks += position.blocks;
    }
}

/* The processes have one number: they were one after the other. */
static void take_largest(struct peak *peak, const struct recording *recording,
                         const size_t *processes, size_t count)
{
    size_t most = processes[0];
    for (size_t i = 1; i < count; i++)
        if (own_position(&recording->processes[processes[i]], peak->is_touched).bytes >
            own_position(&recording->processes[most], peak->is_touched).bytes)
            most = processes[i];
    const struct process *process = &recording->processes[most];
    peak->time = peak->is_touched ? process->touched.time : process->peak_time;
    for (size_t i = 0; i < count; i++)
        peak->positions[processes[i]] =
            absent_position(&recording->processes[processes[i]], peak->time);
    take_own(peak, recording, &most, 1);
}

static void take_recorded(struct peak *peak, const struct recording *recording)
{
    const struct run_peak *recorded = peak->is_touched ? &recording->touched : &recording->peak;
    peak->bytes = recorded->bytes;
    peak->blocks = recorded->blocks;
    peak->time = recorded->time;
    for (size_t i = 0; i < recording->process_count; i++) {
        const struct process *process = &recording->processes[i];
        const struct peak_position *at =
            peak->is_touched ? &process->at_run_touched : &process->at_run_peak;
        peak->positions[i] = at->lived ? *at : absent_position(process, recorded->time);
    }
}

static bool have_one_number(const struct recording *recording, const size_t *processes,
                            size_t count)
{
    for (size_t i = 1; i < count; i++)
        if (recording->processes[processes[i]].pid != recording->processes[processes[0]].pid)
            return false;
    return count > 0;
}

bool peak_init(struct peak *peak, struct recording *recording, const size_t *processes,
               size_t count)
{
    *peak = (struct peak){.is_known = true, .time = NAN};
    peak->positions = memory_new(recording->process_count, sizeof *peak->positions);
    if (have_one_number(recording, processes, count)) {
        take_largest(peak, recording, processes, count);
        return true;
    }
    if (count == recording->process_count && recording->peak.is_known) {
        take_recorded(peak, recording);
        return true;
    }
    if (count && recording->run.history && !peak_play(peak, recording, processes, count, NULL))
        return false;
    if (count && (!recording->run.history || !peak->is_known)) {
        peak->is_known = false;
        take_own(peak, recording, processes, count);
    }
    return true;
}

void peak_init_touched(struct peak *peak, const struct recording *recording,
                       const size_t *processes, size_t count)
{
    *peak = (struct peak){.is_touched = true, .is_known = true, .time = NAN};
    peak->positions = memory_new(recording->process_count, sizeof *peak->positions);
    if (have_one_number(recording, processes, count)) {
        take_largest(peak, recording, processes, count);
    } else if (count == recording->process_count && recording->touched.is_known) {
        take_recorded(peak, recording);
    } else {
        peak->is_known = false;
        take_own(peak, recording, processes, count);
    }
}

bool peak_init_selection(struct peak *peak, struct recording *recording, const size_t *processes,
                         size_t count, const struct peak_selection *selection)
{
    *peak = (struct peak){.is_of_selection = true, .time = NAN};
    peak->positions = memory_new(recording->process_count, sizeof *peak->positions);
    if (!recording->run.history)
        return database_refuse(&recording->database,
                               "the peak of a selection is found in the history, which was not "
                               "kept (--no-history)");
    return !count || peak_play(peak, recording, processes, count, selection);
}

void peak_deinit(struct peak *peak)
{
    free(peak->positions);
}
