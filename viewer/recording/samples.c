/*
 * Reading the tables of samples.
 */
#include "viewer/recording/samples.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "store.h"
#include "allocators.h"
#include "viewer/base/cleanup.h"
#include "viewer/base/memory.h"
#include "viewer/recording/table_rows.h"

/* How many allocators had a column in the one table that there was before, in format 1 one less. */
#define ALLOCATORS_IN_COLUMNS 5

/* What a walk over the two tables fills. */
struct loading {
    struct samples *samples;
    struct recording *recording;
    const struct process *process;
    size_t at; /* the sample whose parts are read */
};

static bool damaged(const struct loading *loading)
{
    return database_damaged(&loading->recording->database, "in the samples of process %" PRId64,
                            loading->process->pid);
}

static bool take_total(const void *row, void *context)
{
    const struct store_sample_total *total = row;
    struct loading *loading = context;
    struct samples *samples = loading->samples;
    samples->list = memory_resize(samples->list, samples->count + 1, sizeof *samples->list);
    samples->list[samples->count++] = (struct sample){
        .time = total->time,
        .most = total->most_bytes,
        .most_touched = total->most_bytes,
        .resident = total->resident,
        .proportional = total->proportional,
        .swapped = total->swapped,
    };
    return (total->time >= 0 && total->most_bytes <= loading->process->sums.peak_bytes) ||
           damaged(loading);
}

/* Both are in order of time. */
static bool take_part(const void *row, void *context)
{
    const struct store_sample_part *part = row;
    struct loading *loading = context;
    const struct samples *samples = loading->samples;
    while (loading->at < samples->count && samples->list[loading->at].time != part->time)
        loading->at++;
    if (loading->at == samples->count || part->allocator >= WIRE_ALLOCATOR_COUNT)
        return damaged(loading);
    samples->list[loading->at].by_allocator[part->allocator] = part->bytes;
    return true;
}

/* Likewise. */
static bool take_touched(const void *row, void *context)
{
    const struct store_touched_sample *touched = row;
    struct loading *loading = context;
    const struct samples *samples = loading->samples;
    while (loading->at < samples->count && samples->list[loading->at].time != touched->time)
        loading->at++;
    if (loading->at == samples->count || touched->most_bytes > samples->list[loading->at].most)
        return damaged(loading);
    samples->list[loading->at].most_touched = touched->most_bytes;
    return true;
}

static bool load_touched(struct loading *loading, const char *rest)
{
    struct database *database = &loading->recording->database;
    loading->at = 0;
    return database->format < STORE_FORMAT_TOUCHED ||
           table_rows_each(database, STORE_TABLE_TOUCHED_SAMPLE, NULL, rest, take_touched, loading);
}

/* The parts as rows, of recordings in which each allocator has a column. */
static char *rows_of_columns(int64_t format)
{
    static const char *const names[] = {ALLOCATOR_NAMES};
    int count = ALLOCATORS_IN_COLUMNS - (format == 1);
    char *text;
    size_t size;
    FILE *stream = memory_stream(&text, &size);
    for (int i = 0; i < count; i++)
        fprintf(stream, "%s SELECT process, time, %d AS allocator, %s AS bytes FROM sample",
                i ? " UNION ALL" : "(", i, names[i]);
    fputc(')', stream);
    fclose(stream);
    return text;
}

bool samples_init(struct samples *samples, struct recording *recording, size_t process)
{
    struct database *database = &recording->database;
    struct loading loading = {samples, recording, &recording->processes[process], 0};
    CLEANUP(cleanup_free)
    char *rest = memory_print("WHERE process = %" PRIu32 " ORDER BY time", loading.process->id);
    CLEANUP(cleanup_free) char *columns = NULL;
    *samples = (struct samples){0};
    if (database->format < STORE_FORMAT_SAMPLE_ROWS)
        columns = rows_of_columns(database->format);
    return table_rows_each(database, STORE_TABLE_SAMPLE_TOTAL, columns ? "sample" : NULL, rest,
                           take_total, &loading) &&
           table_rows_each(database, STORE_TABLE_SAMPLE_PART, columns, rest, take_part, &loading) &&
           load_touched(&loading, rest);
}

void samples_deinit(struct samples *samples)
{
    free(samples->list);
}

static uint64_t held(const struct sample *sample)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < WIRE_ALLOCATOR_COUNT; i++)
        bytes += allocator_is_apart(i) ? 0 : sample->by_allocator[i];
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
    sum->most_touched += sample->most_touched;
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
        all.most_touched = all.most_touched < all.most ? all.most_touched : all.most;
        sum->list = memory_resize(sum->list, sum->count + 1, sizeof *sum->list);
        sum->list[sum->count++] = all;
    }
}
