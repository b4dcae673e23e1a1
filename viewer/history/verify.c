/*
 * The check of a recording against itself: once every event is played from the first one on, and
 * once each moment is rebuilt as reports do it, from checkpoints and whole chunks. Lifetimes are
 * played too, against what the chunks say of them. The peak of the run is played to where each
 * process stood then. Without history the slices are added up instead.
 */
#include "viewer/history/verify.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "viewer/base/cleanup.h"
#include "viewer/base/memory.h"
#include "viewer/history/counter_source.h"
#include "viewer/history/inherited_counters.h"
#include "viewer/history/play.h"
#include "viewer/history/slices.h"
#include "viewer/recording/inheritance.h"

/* How often a process's history is gone through: for what it held at the exit, what was temporary,
 * the lifetimes twice, and its part of the run's peak. */
#define PASSES_EACH 5u

/* What a counter must hold. */
enum side {
    SIDE_PEAK,
    SIDE_END,
    SIDE_EXIT,
    SIDE_TEMPORARY,
};

struct comparison {
    struct verification *verification;
    const struct process *process;
    const struct held *held;
    enum side side;
};

static struct held held_by_row(const struct counter_row *row, enum side side)
{
    switch (side) {
    case SIDE_PEAK:
        return (struct held){row->peak_bytes, row->peak_blocks};
    case SIDE_END:
        return (struct held){row->end_bytes, row->end_blocks};
    case SIDE_EXIT:
        return (struct held){row->leaked_bytes, row->leaked_blocks};
    default:
        return (struct held){row->temporary_bytes, row->temporary_blocks};
    }
}

static void compare_row(void *context, size_t process, uint32_t number,
                        const struct counter_row *row, bool inherited)
{
    (void)process;
    (void)inherited;
    struct comparison *comparison = context;
    static const char *const names[] = {"at the peak", "at the end", "at the exit", "temporary"};
    const struct held *held = &comparison->held[number];
    /* What the row of a program that made place for another held is no leak, and told at its end.
     */
    if (comparison->side == SIDE_EXIT && comparison->process->ending.kind == ENDING_EXECUTED)
        return;
    struct held expected = held_by_row(row, comparison->side);
    char *difference = comparison->verification->difference;
    if (*difference || (held->bytes == expected.bytes && held->blocks == expected.blocks))
        return;
    snprintf(difference, sizeof comparison->verification->difference,
             "process %" PRId64 ", counter %" PRIu32 ": %s %" PRIu64 " bytes in %" PRIu64
             " blocks by the history or slices, %" PRIu64 " in %" PRIu64 " by the sums",
             comparison->process->pid, number, names[comparison->side], held->bytes, held->blocks,
             expected.bytes, expected.blocks);
}

static bool held_compare(struct recording *recording, size_t process, const struct held *held,
                         enum side side, struct verification *verification)
{
    struct comparison comparison = {verification, &recording->processes[process], held, side};
    return counters_visit(recording, process, compare_row, &comparison);
}

static bool verify_moment(struct recording *recording, size_t process, enum side side,
                          uint64_t position, struct verification *verification)
{
    CLEANUP(cleanup_free) struct held *held = NULL;
    return history_held_at(recording, process, position, &held) &&
           held_compare(recording, process, held, side, verification);
}

/* What the chunks say of lifetimes against what playing says. */
static bool verify_lifetimes(struct recording *recording, size_t process,
                             struct verification *verification)
{
    const struct process *of = &recording->processes[process];
    CLEANUP(cleanup_free) struct lifetimes *told = NULL;
    CLEANUP(cleanup_free) struct lifetimes *played = NULL;
    if (!history_lifetimes(recording, process, &told) ||
        !history_play_lifetimes(recording, process, &played))
        return false;
    for (uint32_t i = 0; i < of->counter_count && !*verification->difference; i++)
        if (memcmp(&told[i], &played[i], sizeof told[i]) != 0)
            snprintf(verification->difference, sizeof verification->difference,
                     "process %" PRId64 ", counter %" PRIu32
                     ": its blocks lived otherwise than the chunks of the history say",
                     of->pid, i);
    return true;
}

/* Without history: all slices together against the rows, where the last one was written. */
static bool verify_slices(struct recording *recording, size_t process,
                          struct verification *verification)
{
    CLEANUP(cleanup_free) struct held *held = NULL;
    struct position last;
    if (!slices_position(recording, process, &(struct moment){.kind = MOMENT_EXIT}, &last) ||
        !slices_held_at(recording, process, last.events, &held))
        return false;
    return last.events < recording->processes[process].events ||
           held_compare(recording, process, held, SIDE_EXIT, verification);
}

/* The process is known with what it inherits: nothing that it holds may be below zero. */
static bool verify_known(struct recording *recording, size_t process,
                         struct verification *verification)
{
    if (!recording->run.history)
        return verify_slices(recording, process, verification);
    const struct process *of = &recording->processes[process];
    CLEANUP(cleanup_free) struct held *held = NULL;
    uint64_t skipped = recording->database.skipped;
    if (!history_play(recording, process, of->events, &held) ||
        !held_compare(recording, process, held, SIDE_EXIT, verification))
        return false;
    verification->events += of->events;
    verification->skipped += recording->database.skipped - skipped;
    CLEANUP(cleanup_free) struct held *temporary = NULL;
    if (!history_temporary(recording, process, 1, &temporary) ||
        !held_compare(recording, process, temporary, SIDE_TEMPORARY, verification))
        return false;
    return verify_lifetimes(recording, process, verification) &&
           verify_moment(recording, process, SIDE_PEAK, of->peak_events, verification) &&
           verify_moment(recording, process, SIDE_END, of->end_events, verification) &&
           verify_moment(recording, process, SIDE_EXIT, of->events, verification);
}

static bool verify_process(struct recording *recording, size_t process,
                           struct verification *verification)
{
    bool good =
        inheritance_know(recording, process) && verify_known(recording, process, verification);
    inheritance_forget(recording, process);
    return good;
}

/* A process's part of the run's peak. */
static bool verify_part(struct recording *recording, size_t process,
                        struct verification *verification)
{
    const struct process *of = &recording->processes[process];
    const struct peak_position *position = &of->at_run_peak;
    CLEANUP(cleanup_free) struct held *held = NULL;
    if (!position->lived) {
        progress_step(recording->database.progress, 1);
        return true;
    }
    struct held own;
    if (!history_play(recording, process, position->events, &held) ||
        !counters_sum_own(recording, process, held, &own))
        return false;
    if (!*verification->difference &&
        (own.bytes != position->bytes || own.blocks != position->blocks))
        snprintf(verification->difference, sizeof verification->difference,
                 "process %" PRId64 ": at the peak of the run %" PRIu64 " bytes in %" PRIu64
                 " blocks by the history, %" PRIu64 " in %" PRIu64 " by the sums",
                 of->pid, own.bytes, own.blocks, position->bytes, position->blocks);
    return true;
}

/* That the parts add up to the peak has been seen when the recording was read; and that it is not
 * below a process's own, unless the run goes on. */
static bool verify_run_peak(struct recording *recording, struct verification *verification)
{
    const struct run_peak *peak = &recording->peak;
    if (!peak->is_known && peak->bytes && !isnan(recording->run.seconds) &&
        !*verification->difference)
        snprintf(verification->difference, sizeof verification->difference,
                 "the peak of the run is below that of a process");
    for (size_t i = 0; recording->run.history && i < recording->process_count; i++)
        if (!verify_part(recording, i, verification))
            return false;
    return true;
}

static bool verify_all(struct recording *recording, struct verification *verification)
{
    for (size_t i = 0; i < recording->process_count; i++)
        if (!verify_process(recording, i, verification))
            return false;
    return verify_run_peak(recording, verification);
}

enum verdict recording_verify(struct recording *recording, struct verification *verification)
{
    struct progress *progress = recording->database.progress;
    *verification = (struct verification){0};
    progress_begin(progress, "checking the history",
                   recording->run.history ? PASSES_EACH * recording->process_count : 0);
    bool good = verify_all(recording, verification);
    progress_end(progress);
    if (!good)
        return VERDICT_UNKNOWN;
    return *verification->difference ? VERDICT_DIFFERS : VERDICT_AGREES;
}
