/*
 * Finding when the run ended, who was there, and what those held.
 *
 * A process is there until its own code ends: in its teardown it holds nothing that anybody asks
 * for. One that left without a teardown (os._exit, exec) was there up to its last event. One that
 * was killed may have been idle for long, and its end is when the collector noticed it, which is up
 * to some milliseconds late.
 */
#include "viewer/question/run_end.h"

#include <math.h>

#include "viewer/base/cleanup.h"
#include "viewer/history/counter_source.h"
#include "viewer/history/moment.h"

/* The collector notices an end at most so much later, unless the machine is very busy. */
#define NOTICED_SECONDS 0.05
/* Who was killed within so much of each other was killed together. */
#define TOGETHER_SECONDS 0.1

/* Until when the process was there. */
static double leaving_time(const struct process *process)
{
    if (process->end_seen)
        return process->end_time;
    switch (process->ending.kind) {
    case ENDING_RUNNING:
        return HUGE_VAL;
    case ENDING_KILLED:
        return fmax(process->end_time, process->ended - NOTICED_SECONDS);
    default:
        return process->end_time;
    }
}

double process_lived_until(const struct recording *recording, const struct process *process)
{
    double gone = isnan(process->ended) ? run_length(recording) : process->ended;
    return process->end_seen ? process->end_time : fmax(process->end_time, gone - NOTICED_SECONDS);
}

/* The last one that decides when the run ended. */
static const struct process *find_last(const struct recording *recording, const size_t *processes,
                                       size_t count)
{
    const struct process *last = NULL;
    for (size_t i = 0; i < count; i++) {
        const struct process *process = &recording->processes[processes[i]];
        bool is_first = process->parent == 0, decides = last && last->parent == 0;
        if (!last || is_first > decides ||
            (is_first == decides && leaving_time(process) >= leaving_time(last)))
            last = process;
    }
    return last;
}

/* Of processes that were killed together the first one's end is the run's: all were there. */
static double find_time(const struct recording *recording, const size_t *processes, size_t count)
{
    const struct process *last = find_last(recording, processes, count);
    double end = leaving_time(last), time = end;
    for (size_t i = 0; last->ending.kind == ENDING_KILLED && i < count; i++) {
        const struct process *process = &recording->processes[processes[i]];
        double left = leaving_time(process);
        if (process->ending.kind == ENDING_KILLED && left >= end - TOGETHER_SECONDS)
            time = fmin(time, left);
    }
    return time;
}

static bool held_at(struct recording *recording, size_t process, double time, struct held **held)
{
    const struct moment moment = {.kind = MOMENT_TIME, .value = fmin(time, run_length(recording))};
    const struct counter_source *source = counter_source_of(recording);
    struct position position;
    return source->position(recording, process, &moment, &position) &&
           source->held_at(recording, process, position.events, held);
}

/* Adds what a process held that was there. */
static bool add_process(struct run_end *end, struct recording *recording, size_t number,
                        double time)
{
    const struct process *process = &recording->processes[number];
    end->processes++;
    if (leaving_time(process) <= time) {
        end->bytes += process->sums.end_bytes;
        end->blocks += process->sums.end_blocks;
        return true;
    }
    CLEANUP(cleanup_free) struct held *held = NULL;
    struct held own;
    if (!held_at(recording, number, time, &held) ||
        !counters_sum_own(recording, number, held, &own))
        return false;
    end->bytes += own.bytes;
    end->blocks += own.blocks;
    return true;
}

bool run_end_find(struct run_end *end, struct recording *recording, const size_t *processes,
                  size_t count)
{
    *end = (struct run_end){0};
    if (!count)
        return true;
    double time = find_time(recording, processes, count);
    if (count == 1) /* what its sums say, which are checked, and times are not */
        return add_process(end, recording, processes[0], HUGE_VAL);
    for (size_t i = 0; i < count; i++) {
        const struct process *process = &recording->processes[processes[i]];
        if (process->started <= time && leaving_time(process) >= time &&
            !add_process(end, recording, processes[i], time))
            return false;
    }
    return true;
}
