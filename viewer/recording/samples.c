/*
 * Reading the table of samples.
 */
#include "viewer/recording/samples.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

#include "viewer/base/cleanup.h"
#include "viewer/base/memory.h"

#define SAMPLES_QUERY(mmap)                                                                        \
    "SELECT time, malloc, raw, mem, object, " mmap ", most_bytes, resident, proportional, "        \
    "swapped FROM sample WHERE process = ?1 ORDER BY time"

static bool read_optional(struct rows *rows, int column, int64_t *number)
{
    *number = -1;
    return rows_is_null(rows, column) || rows_whole(rows, column, 0, INT64_MAX, number);
}

static bool read_sample(struct rows *rows, struct sample *sample)
{
    if (!rows_seconds(rows, 0, &sample->time) ||
        !rows_count(rows, 1, &sample->by_allocator[WIRE_ALLOCATOR_MALLOC]) ||
        !rows_count(rows, 2, &sample->by_allocator[WIRE_ALLOCATOR_RAW]) ||
        !rows_count(rows, 3, &sample->by_allocator[WIRE_ALLOCATOR_MEM]) ||
        !rows_count(rows, 4, &sample->by_allocator[WIRE_ALLOCATOR_OBJECT]) ||
        !rows_count(rows, 5, &sample->by_allocator[WIRE_ALLOCATOR_MMAP]) ||
        !rows_count(rows, 6, &sample->most))
        return false;
    return read_optional(rows, 7, &sample->resident) &&
           read_optional(rows, 8, &sample->proportional) &&
           read_optional(rows, 9, &sample->swapped);
}

bool samples_init(struct samples *samples, struct recording *recording, size_t process)
{
    *samples = (struct samples){0};
    CLEANUP(rows_deinit) struct rows rows;
    if (!rows_init(&rows, &recording->database,
                   recording->database.format == 1 ? SAMPLES_QUERY("0") : SAMPLES_QUERY("mmap")))
        return false;
    sqlite3_bind_int64(rows.statement, 1, recording->processes[process].id);
    enum rows_step step;
    while ((step = rows_next(&rows)) == ROWS_ROW) {
        samples->list = memory_resize(samples->list, samples->count + 1, sizeof *samples->list);
        struct sample *sample = &samples->list[samples->count++];
        if (!read_sample(&rows, sample))
            return false;
        if (isnan(sample->time) || sample->time < 0 ||
            sample->most > recording->processes[process].sums.peak_bytes)
            return database_damaged(&recording->database, "in the samples of process %" PRId64,
                                    recording->processes[process].pid);
    }
    return step == ROWS_END;
}

void samples_deinit(struct samples *samples)
{
    free(samples->list);
}

static uint64_t held(const struct sample *sample)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < WIRE_ALLOCATOR_COUNT; i++)
        bytes += sample->by_allocator[i];
    return bytes;
}

/* What is not known of one is not known of the sum. */
static void add_known(int64_t *sum, int64_t number)
{
    *sum = *sum < 0 || number < 0 ? -1 : *sum + number;
}

static void add_sample(struct sample *sum, const struct sample *sample)
{
    for (size_t i = 0; i < WIRE_ALLOCATOR_COUNT; i++)
        sum->by_allocator[i] += sample->by_allocator[i];
    sum->most += held(sample);
    add_known(&sum->resident, sample->resident);
    add_known(&sum->proportional, sample->proportional);
    add_known(&sum->swapped, sample->swapped);
}

/* The time of the earliest sample that is still to come; INFINITY when none is. */
static double next_time(const struct samples *processes, const size_t *taken, size_t count)
{
    double time = INFINITY;
    for (size_t i = 0; i < count; i++)
        if (taken[i] < processes[i].count)
            time = fmin(time, processes[i].list[taken[i]].time);
    return time;
}

void samples_sum(struct samples *sum, const struct samples *processes, size_t count, uint64_t peak)
{
    CLEANUP(cleanup_free) size_t *taken = memory_new(count, sizeof *taken);
    *sum = (struct samples){0};
    for (double time; isfinite(time = next_time(processes, taken, count));) {
        struct sample all = {.time = time};
        for (size_t i = 0; i < count; i++) {
            const struct samples *of = &processes[i];
            while (taken[i] < of->count && of->list[taken[i]].time <= time)
                taken[i]++;
            if (taken[i] && (taken[i] < of->count || of->list[taken[i] - 1].time == time))
                add_sample(&all, &of->list[taken[i] - 1]);
        }
        all.most = all.most < peak ? all.most : peak;
        sum->list = memory_resize(sum->list, sum->count + 1, sizeof *sum->list);
        sum->list[sum->count++] = all;
    }
}
