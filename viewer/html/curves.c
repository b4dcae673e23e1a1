/*
 * A process's samples are drawn into points of its own, and then added to its curve.
 */
#include "viewer/html/curves.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "allocators.h"
#include "viewer/base/cleanup.h"
#include "viewer/base/memory.h"
#include "varint.h"
#include "viewer/base/order.h"
#include "viewer/history/moment.h"
#include "viewer/recording/samples.h"

#define POINTS_MAX 1000u

/* --- points --- */

/* The first point that is not before this time. */
static size_t point_at(const struct curves *curves, double seconds)
{
    uint64_t time = (uint64_t)(seconds * 1e6);
    size_t from = 0, to = curves->point_count - 1;
    while (from < to) {
        size_t middle = (from + to) / 2;
        if (curves->times[middle] < time)
            from = middle + 1;
        else
            to = middle;
    }
    return from;
}

static void take_most(int64_t *most, int64_t value)
{
    *most = value > *most ? value : *most;
}

static void take_sample(const struct curves *curves, const struct sample *sample,
                        struct curve_point *point)
{
    /* Where points are closer than samples, it would stand where it was not. */
    take_most(&point->most, curves->is_played ? 0 : (int64_t)sample->most);
    take_most(&point->resident, sample->resident);
    take_most(&point->proportional, sample->proportional);
    take_most(&point->swapped, sample->swapped);
    for (unsigned i = 0; i < WIRE_ALLOCATOR_COUNT && !curves->is_played; i++)
        point->by_allocator[i] = allocator_is_apart(i) ? 0 : (int64_t)sample->by_allocator[i];
}

static const struct curve_point unknown = {
    .most = -1, .resident = -1, .proportional = -1, .swapped = -1};

/* What a process's samples say, point by point; `most` says whether there is any at all. */
static struct curve_point *curve_draw(const struct curves *curves, const struct samples *samples)
{
    struct curve_point *points = memory_new(curves->point_count, sizeof *points);
    for (size_t i = 0; i < curves->point_count; i++)
        points[i] = unknown;
    for (size_t i = 0; i < samples->count; i++)
        take_sample(curves, &samples->list[i], &points[point_at(curves, samples->list[i].time)]);
    return points;
}

/* From the first point to the last, what the heap was holds until the next sample; of one of
 * several, whose samples are not of one time, the rest too. */
static void points_carry(struct curve_point *points, size_t first, size_t last,
                         bool is_one_of_several)
{
    for (size_t i = first + 1; i <= last; i++) {
        struct curve_point *point = &points[i];
        if (point->most >= 0)
            continue;
        struct curve_point before = points[i - 1];
        if (is_one_of_several)
            *point = before;
        memcpy(point->by_allocator, before.by_allocator, sizeof point->by_allocator);
        point->most = -1;
    }
}

/* --- curves --- */

static void add_known(int64_t *sum, int64_t value)
{
    if (value >= 0)
        *sum = *sum < 0 ? value : *sum + value;
}

static void add_point(struct curve_point *sum, const struct curve_point *point)
{
    for (size_t i = 0; i < WIRE_ALLOCATOR_COUNT; i++)
        sum->by_allocator[i] += point->by_allocator[i];
    add_known(&sum->resident, point->resident);
    add_known(&sum->proportional, point->proportional);
    add_known(&sum->swapped, point->swapped);
}

static void add_process(struct curves *curves, size_t process, const struct samples *samples)
{
    const struct process *of = &curves->recording->processes[process];
    if (!samples->count)
        return;
    CLEANUP(cleanup_free) struct curve_point *points = curve_draw(curves, samples);
    size_t first = isnan(of->started) ? 0 : point_at(curves, of->started);
    size_t last = point_at(curves, samples->list[samples->count - 1].time);
    struct curve *curve = &curves->list[curves->curve_of[process]];
    points_carry(points, first, last, curve->process == CURVE_REST);
    for (size_t i = first; i <= last; i++) {
        add_point(&curve->points[i], &points[i]);
        if (curve->process != CURVE_REST) /* of several, not at one time */
            curve->points[i].most = points[i].most;
    }
}

/* --- which there are --- */

static int compare_peaks(const void *a, const void *b, void *recording)
{
    const struct process *processes = ((const struct recording *)recording)->processes;
    size_t one = *(const size_t *)a, other = *(const size_t *)b;
    return ORDER(processes[other].sums.peak_bytes, processes[one].sums.peak_bytes)
               ?: ORDER(one, other);
}

static void add_curve(struct curves *curves, size_t process)
{
    struct curve *curve = &curves->list[curves->count++];
    *curve = (struct curve){process, memory_new(curves->point_count, sizeof *curve->points)};
    for (size_t i = 0; i < curves->point_count; i++)
        curve->points[i] = unknown;
}

static void processes_choose(struct curves *curves, const struct page_processes *processes)
{
    CLEANUP(cleanup_free) size_t *order = memory_new(processes->count, sizeof *order);
    for (size_t i = 0; i < processes->count; i++)
        order[i] = processes->list[i];
    qsort_r(order, processes->count, sizeof *order, compare_peaks, curves->recording);
    for (size_t i = 0; i < processes->count; i++) {
        if (i < CURVES_MAX)
            add_curve(curves, order[i]);
        else if (i == CURVES_MAX)
            add_curve(curves, CURVE_REST);
        curves->summed += i >= CURVES_MAX;
        curves->curve_of[order[i]] = curves->count - 1;
    }
}

static void set_times(struct curves *curves, size_t most_samples)
{
    const struct time_grid *grid = curves->grid;
    curves->is_played =
        curves->recording->run.history && (grid->count > most_samples || grid->count >= POINTS_MAX);
    size_t even = most_samples < POINTS_MAX ? most_samples + 1 : POINTS_MAX;
    curves->point_count = curves->is_played ? grid->count : even;
    curves->times = memory_new(curves->point_count + 1, sizeof *curves->times);
    double length = (double)grid->edges[grid->count - 1];
    for (size_t i = 0; i < curves->point_count; i++)
        curves->times[i] = curves->is_played
                               ? grid->edges[i]
                               : (uint64_t)(length * (double)(i + 1) / (double)curves->point_count);
}

static void deinit_all(struct samples *samples, size_t count)
{
    for (size_t i = 0; i < count; i++)
        samples_deinit(&samples[i]);
    free(samples);
}

bool curves_init(struct curves *curves, struct recording *recording,
                 const struct page_processes *processes, const struct time_grid *grid)
{
    *curves = (struct curves){.recording = recording, .grid = grid};
    curves->curve_of = memory_new(recording->process_count, sizeof *curves->curve_of);
    struct samples *samples = memory_new(processes->count, sizeof *samples);
    size_t most = 0;
    bool good = true;
    for (size_t i = 0; good && i < processes->count; i++) {
        good = samples_init(&samples[i], recording, processes->list[i]);
        most = samples[i].count > most ? samples[i].count : most;
    }
    set_times(curves, most);
    processes_choose(curves, processes);
    for (size_t i = 0; good && i < processes->count; i++)
        add_process(curves, processes->list[i], &samples[i]);
    deinit_all(samples, processes->count);
    return good;
}

void curves_deinit(struct curves *curves)
{
    for (size_t i = 0; i < curves->count; i++)
        free(curves->list[i].points);
    free(curves->curve_of);
    free(curves->times);
}

void curves_take(struct curves *curves, size_t process, const struct played *played)
{
    struct curve *curve = &curves->list[curves->curve_of[process]];
    if (!curves->is_played)
        return;
    for (size_t i = 0; i < curves->point_count; i++)
        for (size_t k = 0; k < WIRE_ALLOCATOR_COUNT; k++)
            curve->points[i].by_allocator[k] += played->held[i][k];
}

/* --- writing --- */

/* What may be unknown: 0, else 1 + zigzag of the difference from the last one that was known. */
static void put_column(const struct curves *curves, struct bytes *bytes, const struct curve *curve,
                       size_t offset)
{
    int64_t before = 0;
    for (size_t i = 0; i < curves->point_count; i++) {
        int64_t value = *(const int64_t *)((const char *)&curve->points[i] + offset);
        if (value < 0) {
            bytes_put(bytes, 0);
            continue;
        }
        bytes_put(bytes, 1 + zigzag(value - before));
        before = value;
    }
}

static void put_curve(const struct curves *curves, struct bytes *bytes, const struct curve *curve)
{
    for (size_t k = 0; k < WIRE_ALLOCATOR_COUNT; k++) {
        int64_t before = 0;
        for (size_t i = 0; i < curves->point_count; i++) {
            int64_t value = curve->points[i].by_allocator[k];
            bytes_put_signed(bytes, value - before);
            before = value;
        }
    }
    put_column(curves, bytes, curve, offsetof(struct curve_point, most));
    put_column(curves, bytes, curve, offsetof(struct curve_point, resident));
    put_column(curves, bytes, curve, offsetof(struct curve_point, proportional));
    put_column(curves, bytes, curve, offsetof(struct curve_point, swapped));
}

void curves_put(const struct curves *curves, struct bytes *bytes)
{
    bytes_put(bytes, curves->point_count);
    uint64_t before = 0;
    for (size_t i = 0; i < curves->point_count; i++) {
        bytes_put(bytes, curves->times[i] - before);
        before = curves->times[i];
    }
    bytes_put(bytes, curves->count);
    for (size_t i = 0; i < curves->count; i++)
        put_curve(curves, bytes, &curves->list[i]);
}
