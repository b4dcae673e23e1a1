/*
 * What several had together is the sum of their samples, which are not of one time: it is as exact
 * as these are close to each other.
 */
#include "viewer/question/resident_peak.h"

#include <stdlib.h>

#include "viewer/base/memory.h"
#include "viewer/recording/samples.h"

static bool load(struct recording *recording, const struct query *query, struct samples *of,
                 size_t *count)
{
    for (size_t i = 0; i < recording->process_count; i++)
        if (query_wants_process(query, &recording->processes[i]) &&
            !samples_init(&of[(*count)++], recording, i))
            return false;
    return true;
}

bool resident_peak_find(struct recording *recording, const struct query *query, uint64_t *bytes,
                        double *time)
{
    struct samples *of = memory_new(recording->process_count, sizeof *of), sum = {0};
    size_t count = 0;
    *bytes = 0;
    bool good = load(recording, query, of, &count);
    if (good)
        samples_sum(&sum, of, count, UINT64_MAX);
    for (size_t i = 0; i < sum.count; i++)
        if (sum.list[i].resident > (int64_t)*bytes) {
            *bytes = (uint64_t)sum.list[i].resident;
            *time = sum.list[i].time;
        }
    samples_deinit(&sum);
    for (size_t i = 0; i < count; i++)
        samples_deinit(&of[i]);
    free(of);
    return good;
}

bool resident_peak_resolve(struct query *query, struct recording *recording)
{
    struct moment *const moments[] = {&query->at, &query->from, &query->to};
    for (size_t i = 0; i < sizeof moments / sizeof *moments; i++) {
        uint64_t bytes;
        double time;
        if (moments[i]->kind != MOMENT_RESIDENT)
            continue;
        if (!resident_peak_find(recording, query, &bytes, &time))
            return false;
        if (!bytes)
            return database_refuse(&recording->database,
                                   "resident memory is not known of this run: nobody could ask "
                                   "the kernel");
        *moments[i] =
            (struct moment){.kind = MOMENT_TIME,
                            .value = time < run_length(recording) ? time : run_length(recording),
                            .text = moment_text(moments[i])};
    }
    return true;
}
