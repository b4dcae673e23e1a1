/*
 * Keeping the run's peak.
 *
 * The sum is never above the peak between batches, so a share is never negative.
 */
#include "run_peak.h"

#include "process.h"

void run_peak_deinit(struct run_peak *peak)
{
    vector_deinit(&peak->left);
}

void run_peak_join(const struct run *run, struct process *process)
{
    process->position_at_peak = (struct peak_position){.epoch = run->peak.epoch};
}

void run_peak_settle(const struct run *run, struct process *process)
{
    const struct heap_sums *sums = &process->sums;
    if (process->has_left || process->position_at_peak.epoch == run->peak.epoch)
        return;
    process->position_at_peak = (struct peak_position){.epoch = run->peak.epoch,
                                                       .events = sums->events,
                                                       .bytes = sums->bytes,
                                                       .blocks = sums->blocks,
                                                       .process = process->peer.number,
                                                       .lived = true};
}

void run_peak_begin(struct run *run, struct process *process)
{
    struct run_peak *peak = &run->peak;
    struct heap_sums *sums = &process->sums;
    sums->share = UINT64_MAX;
    if (process->has_left)
        return;
    run_peak_settle(run, process);
    peak->live_bytes -= sums->bytes;
    peak->live_blocks -= sums->blocks;
    sums->share = peak->bytes - peak->live_bytes;
    sums->share_events = 0;
}

/* The batch has made a new peak: those who have left since the one before have no part in it. */
static void note_peak(struct run_peak *peak, struct process *process)
{
    const struct heap_sums *sums = &process->sums;
    peak->bytes = peak->live_bytes + sums->share;
    peak->blocks = peak->live_blocks + sums->share_blocks;
    peak->time = sums->share_time;
    peak->epoch++;
    peak->left_count = 0;
    process->position_at_peak = (struct peak_position){.epoch = peak->epoch,
                                                       .events = sums->share_events,
                                                       .bytes = sums->share,
                                                       .blocks = sums->share_blocks,
                                                       .process = process->peer.number,
                                                       .lived = true};
}

void run_peak_end(struct run *run, struct process *process)
{
    struct run_peak *peak = &run->peak;
    struct heap_sums *sums = &process->sums;
    if (process->has_left)
        return;
    if (sums->share_events)
        note_peak(peak, process);
    peak->live_bytes += sums->bytes;
    peak->live_blocks += sums->blocks;
}

static void keep_position(struct run *run, const struct peak_position *position)
{
    struct run_peak *peak = &run->peak;
    size_t count = peak->left_count;
    if (!vector_reserve(&peak->left, count + 1, sizeof *position)) {
        run->memory_short = true;
        return;
    }
    ((struct peak_position *)peak->left.data)[count] = *position;
    peak->left_count++;
}

void run_peak_leave(struct run *run, struct process *process)
{
    if (process->has_left)
        return;
    run_peak_settle(run, process);
    process->has_left = true;
    run->peak.live_bytes -= process->sums.bytes;
    run->peak.live_blocks -= process->sums.blocks;
    if (process->position_at_peak.lived)
        keep_position(run, &process->position_at_peak);
}
