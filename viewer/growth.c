/*
 * Asks the same question at many moments and looks at each row's values over time.
 *
 * The thresholds were chosen for programs that run from half a second to days; they look at shares
 * of what a row holds, so that the length of the run does not matter.
 */
#include "viewer/growth.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "viewer/cleanup.h"
#include "viewer/memory.h"

/* Less than this is not worth a line, whatever its shape. */
#define GAINED_MIN 16384u
/* Of what it held at most before, a row may lose this part and still count as rising. */
#define DROP_MAX 0.1
/* The last third must bring this part of what it would at the whole's pace. */
#define LATE_SHARE 0.5
/* In so many of the steps from the first on it must have risen. */
#define RISING_STEPS 0.5

/* The moments of all chosen processes: from the first start to the last end. */
static void choose_times(struct growth *growth, const struct recording *recording)
{
    double from = INFINITY, to = 0;
    for (size_t i = 0; i < recording->process_count; i++) {
        const struct process *process = &recording->processes[i];
        from = fmin(from, process->started);
        to = fmax(to, process->end_time);
    }
    to = fmin(to, run_length(recording));
    for (size_t i = 0; i <= GROWTH_MOMENTS; i++)
        growth->times[i] =
            isfinite(from) && from < to ? from + (to - from) * (double)i / GROWTH_MOMENTS : 0;
}

/* Takes one moment's rows into the table of all keys. */
static void take_rows(struct suspect *by_key, const struct answer *answer, size_t moment)
{
    for (size_t i = 0; i < answer->row_count; i++) {
        const struct row *row = &answer->rows[i];
        by_key[row->key].bytes[moment] = row->bytes;
        by_key[row->key].blocks[moment] = row->blocks;
    }
}

/* The last moment is the end itself: the clock may stand still into the teardown. */
static bool ask(struct answer *answer, struct recording *recording, const struct query *query,
                const double *times, size_t moment)
{
    struct query at = *query;
    at.at = (struct moment){.kind = moment < GROWTH_MOMENTS ? MOMENT_TIME : MOMENT_END,
                            .value = times[moment]};
    at.between = false;
    at.limit = 0;
    at.no_peak = true;
    at.lifetimes = query->lifetimes && moment == GROWTH_MOMENTS;
    return answer_init(answer, recording, &at);
}

/* Does a series rise steadily from its first value to its last? */
static bool is_rising(const uint64_t *values, size_t first)
{
    size_t steps = GROWTH_MOMENTS - first, rises = 0;
    uint64_t most = 0, last = values[GROWTH_MOMENTS];
    for (size_t i = first; i <= GROWTH_MOMENTS; i++) {
        if ((double)values[i] < (double)most * (1 - DROP_MAX))
            return false;
        rises += values[i] > most && i > first;
        most = values[i] > most ? values[i] : most;
    }
    size_t late = first + steps * 2 / 3;
    double gained = (double)last - (double)values[first];
    double gained_late = (double)last - (double)values[late];
    return steps >= GROWTH_MOMENTS / 2 && gained > 0 &&
           (double)rises >= (double)steps * RISING_STEPS &&
           gained_late >= gained * LATE_SHARE * (double)(GROWTH_MOMENTS - late) / (double)steps;
}

static double slope_of(const double *times, const uint64_t *values, size_t first)
{
    double count = 0, time = 0, value = 0, products = 0, squares = 0;
    for (size_t i = first; i <= GROWTH_MOMENTS; i++, count++) {
        time += times[i];
        value += (double)values[i];
    }
    for (size_t i = first; i <= GROWTH_MOMENTS; i++) {
        double distance = times[i] - time / count;
        products += distance * ((double)values[i] - value / count);
        squares += distance * distance;
    }
    return squares > 0 ? products / squares : 0;
}

/* Fills in the rest of a suspect; false when it is none. */
static bool suspect(struct suspect *suspect, const double *times)
{
    size_t first = 0;
    while (first < GROWTH_MOMENTS && !suspect->blocks[first])
        first++;
    suspect->gained = suspect->bytes[GROWTH_MOMENTS] - suspect->bytes[first];
    suspect->first_seen = times[first];
    suspect->slope = slope_of(times, suspect->bytes, first);
    return suspect->bytes[GROWTH_MOMENTS] >= suspect->bytes[first] + GAINED_MIN &&
           is_rising(suspect->bytes, first) && is_rising(suspect->blocks, first);
}

/* Has a series stayed as it is at its end, and come to that at once? */
static bool is_kept(const uint64_t *values, size_t first)
{
    size_t from = GROWTH_MOMENTS;
    while (from > first && values[from - 1] == values[GROWTH_MOMENTS])
        from--;
    return values[GROWTH_MOMENTS] && from <= first + 2 &&
           GROWTH_MOMENTS - from >= GROWTH_MOMENTS / 6;
}

static enum shape shape_of(struct suspect *row, const double *times)
{
    size_t first = 0;
    if (suspect(row, times))
        return SHAPE_GROWS;
    while (first < GROWTH_MOMENTS && !row->blocks[first])
        first++;
    return is_kept(row->blocks, first) && is_kept(row->bytes, first) ? SHAPE_ONCE : SHAPE_OTHER;
}

static int compare_suspects(const void *a, const void *b)
{
    const struct suspect *one = a, *other = b;
    if (one->slope != other->slope)
        return one->slope < other->slope ? 1 : -1;
    return (one->key > other->key) - (one->key < other->key);
}

static void pick(struct growth *growth, struct suspect *by_key, size_t keys)
{
    growth->shapes = memory_new(keys, sizeof *growth->shapes);
    for (uint32_t key = 0; key < keys; key++) {
        by_key[key].key = key;
        growth->shapes[key] = (uint8_t)shape_of(&by_key[key], growth->times);
        if (growth->shapes[key] != SHAPE_GROWS)
            continue;
        growth->suspects =
            memory_resize(growth->suspects, growth->count + 1, sizeof *growth->suspects);
        growth->suspects[growth->count++] = by_key[key];
    }
    if (growth->count)
        qsort(growth->suspects, growth->count, sizeof *growth->suspects, compare_suspects);
}

/* Takes the moments before the last one. */
static bool ask_earlier(struct suspect *by_key, struct growth *growth, struct recording *recording,
                        const struct query *query)
{
    for (size_t i = 0; i < GROWTH_MOMENTS; i++) {
        CLEANUP(answer_deinit) struct answer answer;
        if (!ask(&answer, recording, query, growth->times, i))
            return false;
        take_rows(by_key, &answer, i);
    }
    return true;
}

/* The last moment comes first. About lifetimes it takes at least as long as all others. */
static bool ask_all(struct growth *growth, struct recording *recording, const struct query *query)
{
    struct progress *half = query->lifetimes ? recording->database.progress : NULL;
    if (!ask(&growth->last, recording, query, growth->times, GROWTH_MOMENTS))
        return false;
    size_t keys = growth->last.grouping.key_count;
    CLEANUP(cleanup_free) struct suspect *by_key = memory_new(keys, sizeof *by_key);
    take_rows(by_key, &growth->last, GROWTH_MOMENTS);
    progress_begin(half, "looking at moments", GROWTH_MOMENTS);
    bool good = ask_earlier(by_key, growth, recording, query);
    progress_end(half);
    if (good)
        pick(growth, by_key, keys);
    return good;
}

bool growth_init(struct growth *growth, struct recording *recording, const struct query *query)
{
    struct progress *progress = recording->database.progress;
    *growth = (struct growth){0};
    choose_times(growth, recording);
    progress_begin(progress, "looking at moments", query->lifetimes ? 2 : GROWTH_MOMENTS + 1);
    bool good = ask_all(growth, recording, query);
    progress_end(progress);
    return good;
}

void growth_deinit(struct growth *growth)
{
    answer_deinit(&growth->last);
    free(growth->shapes);
    free(growth->suspects);
}
