/*
 * Finds out which rows could be suspects, plays each process once, and judges what it has held.
 *
 * Only rows that hold something worth naming at an end can be suspects: their number is bounded by
 * what was held, and so is what their series take.
 */
#include "viewer/question/growth.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "viewer/base/cleanup.h"
#include "viewer/base/memory.h"
#include "viewer/base/order.h"
#include "viewer/history/inherited_counters.h"
#include "viewer/question/run_end.h"
#include "viewer/recording/inheritance.h"

/* For how long a row must rise: of a process that is one of several, longer than starting takes. */
#define LEAST_SECONDS        0.2
#define LEAST_SECONDS_OF_ONE 0.5

/* Which row each of a process's counters belongs to, as the answer has found it. */
struct key_list {
    uint32_t *keys; /* by counter, with IMPORTED where it is; GROUPING_NO_KEY: none */
    size_t count;
};

#define KEY_IMPORTED (UINT32_C(1) << 31)

/* What a row holds at ends, outside of imports. */
struct at_end {
    size_t process; /* of `own`: its index + 1 */
    uint64_t own, sum;
};

struct survey {
    struct growth *growth;
    struct recording *recording;
    const struct query *query;
    struct key_list *lists; /* by process */
    uint32_t *watched;      /* by key: its number among those that are watched, or GROWTH_NONE */
    size_t watched_count;
    uint32_t *slot_of_key; /* by key, and those imported behind; GROWTH_NONE but for a moment */
    struct at_end *at_end; /* by key */
    double end;            /* of the last of the processes' programs */
    bool *imports;         /* by node: is it below an import? */
    struct suspect *best;  /* by watched row */
    struct growth_series all;
    uint8_t *kept; /* by key: 1: once in some process, 2: otherwise in some */
};

/* --- which rows --- */

static uint32_t *new_numbers(size_t count)
{
    uint32_t *numbers = memory_new(count, sizeof *numbers);
    memset(numbers, 0xff, count * sizeof *numbers);
    return numbers;
}

/* Which stacks go through the import system. Parents have lower numbers. */
static bool *find_imports(const struct recording *recording)
{
    static const char system[] = "<frozen importlib";
    const struct stacks *stacks = &recording->stacks;
    bool *imports = memory_new(stacks->count, sizeof *imports);
    CLEANUP(cleanup_free)
    bool *locations = memory_new(recording->symbols.frame_count, sizeof *locations);
    for (size_t i = 0; i < recording->symbols.frame_count; i++) {
        const char *file = recording->symbols.frames[i].file;
        locations[i] = file && strncmp(file, system, sizeof system - 1) == 0;
    }
    for (size_t node = 1; node < stacks->count; node++)
        imports[node] = imports[stacks->parent[node]] || locations[stacks->location[node]];
    return imports;
}

static void row_watch(struct survey *survey, uint32_t key)
{
    if (survey->watched[key] == GROWTH_NONE)
        survey->watched[key] = (uint32_t)survey->watched_count++;
}

/* Watches a row when it holds enough at the end of a process that is judged by itself, or of those
 * together that live to the end. */
static void note_end(struct survey *survey, const struct counted *counted)
{
    struct at_end *end = &survey->at_end[counted->key];
    const struct process *process = &survey->recording->processes[counted->process];
    double lived = process_lived_until(survey->recording, process) - process->started;
    if (end->process != counted->process + 1)
        *end = (struct at_end){counted->process + 1, 0, end->sum};
    end->own += counted->row->bytes;
    if (isnan(process->ended) || process->ended >= survey->end)
        end->sum += counted->row->bytes;
    if (end->sum >= RISING_LEAST || (end->own >= RISING_LEAST && lived >= LEAST_SECONDS_OF_ONE))
        row_watch(survey, counted->key);
}

static void note_key(void *context, const struct counted *counted)
{
    struct survey *survey = context;
    struct key_list *list = &survey->lists[counted->process];
    if (counted->number >= list->count) {
        size_t count = counted->number + counted->number / 2 + 64;
        list->keys = memory_resize(list->keys, count, sizeof *list->keys);
        for (; list->count < count; list->count++)
            list->keys[list->count] = GROUPING_NO_KEY;
    }
    bool imported = survey->imports[counted->counter->node];
    list->keys[counted->number] = counted->key | (imported ? KEY_IMPORTED : 0);
    if (!imported)
        note_end(survey, counted);
}

static struct query query_at(const struct query *query, struct moment moment)
{
    struct query at = *query;
    at.at = moment;
    at.between = false;
    at.limit = 0;
    return at;
}

static void watch_rows(struct survey *survey, const struct answer *answer)
{
    for (size_t i = 0; i < answer->row_count; i++)
        if (answer->rows[i].bytes >= RISING_LEAST)
            row_watch(survey, answer->rows[i].key);
}

/* What is freed between the span's end and the program's is seen at the span's. */
static bool watch_span(struct survey *survey)
{
    CLEANUP(answer_deinit) struct answer answer = {0};
    struct query at = query_at(survey->query, survey->query->to);
    at.lifetimes = false;
    if (!survey->query->between)
        return true;
    if (!answer_init(&answer, survey->recording, &at))
        return false;
    watch_rows(survey, &answer);
    return true;
}

/* No grouping has more keys than there are things of one kind. */
static size_t keys_most(const struct recording *recording)
{
    const size_t counts[] = {recording->stacks.count, recording->symbols.frame_count,
                             recording->symbols.thread_count, recording->process_count, 256};
    size_t most = 0;
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
        most = counts[i] > most ? counts[i] : most;
    return most;
}

/* The answer shows its rows before it can be asked how many there are. */
static void begin_with_ends(struct survey *survey)
{
    const struct recording *recording = survey->recording;
    size_t keys = keys_most(recording);
    survey->watched = new_numbers(keys);
    survey->at_end = memory_new(keys, sizeof *survey->at_end);
    for (size_t i = 0; i < recording->process_count; i++)
        if (query_wants_process(survey->query, &recording->processes[i]))
            survey->end =
                fmax(survey->end, process_lived_until(recording, &recording->processes[i]));
}

static bool find_rows(struct survey *survey)
{
    struct answer *last = &survey->growth->last;
    struct query at = query_at(survey->query, (struct moment){.kind = MOMENT_END});
    survey->imports = find_imports(survey->recording);
    survey->lists = memory_new(survey->recording->process_count, sizeof *survey->lists);
    begin_with_ends(survey);
    if (!answer_init_visited(last, survey->recording, &at, note_key, survey))
        return false;
    size_t keys = last->grouping.key_count;
    survey->slot_of_key = new_numbers(2 * keys);
    survey->kept = memory_new(keys, sizeof *survey->kept);
    if (!watch_span(survey))
        return false;
    survey->best = memory_new(survey->watched_count, sizeof *survey->best);
    return true;
}

/* --- when --- */

/* The time of an end of the span for one process. */
static bool span_seconds(struct survey *survey, const struct process *process,
                         const struct moment *moment, double *seconds)
{
    switch (moment->kind) {
    case MOMENT_PEAK:
        *seconds = survey->growth->last.peak.time;
        return true;
    case MOMENT_END:
        *seconds = process_lived_until(survey->recording, process);
        return true;
    case MOMENT_EXIT:
        *seconds = process->ended;
        return true;
    case MOMENT_TOUCHED:
        *seconds = process->touched.time;
        return true;
    case MOMENT_RESIDENT:
    case MOMENT_SELECTION:
    case MOMENT_TIME:
        break;
    }
    return moment_seconds(moment, survey->recording, seconds);
}

/* From when to when a process is looked at. */
static bool process_span(struct survey *survey, const struct process *process, double *from,
                         double *to)
{
    const struct query *query = survey->query;
    double first = NAN, last = NAN;
    *from = process->started;
    *to = query->between && query->to.kind == MOMENT_EXIT
              ? process->ended
              : process_lived_until(survey->recording, process);
    *to = fmin(*to, run_length(survey->recording));
    if (query->between && (!span_seconds(survey, process, &query->from, &first) ||
                           !span_seconds(survey, process, &query->to, &last)))
        return false;
    *from = fmax(*from, first);
    *to = fmin(*to, last);
    return true;
}

/* From the first start to the last end. */
static bool choose_times(struct survey *survey)
{
    struct growth *growth = survey->growth;
    const struct answer *last = &growth->last;
    double from = INFINITY, to = 0;
    for (size_t i = 0; i < last->process_count; i++) {
        double first, end;
        if (!process_span(survey, &survey->recording->processes[last->processes[i]], &first, &end))
            return false;
        if (first < end) {
            from = fmin(from, first);
            to = fmax(to, end);
        }
    }
    if (!(from < to))
        from = to = 0;
    growth_series_init(&survey->all, survey->watched_count, from, to);
    for (unsigned i = 0; i <= GROWTH_MOMENTS; i++)
        growth->times[i] = from + (to - from) * i / GROWTH_MOMENTS;
    return true;
}

/* --- judging --- */

double suspect_seconds(const struct suspect *suspect, unsigned moment)
{
    return suspect->from + (suspect->to - suspect->from) * moment / GROWTH_MOMENTS;
}

static struct suspect series_judge(const struct growth_series *series, size_t number, uint32_t key,
                                   double least_seconds)
{
    const struct held *held = growth_series_of(series, number);
    struct suspect suspect = {.key = key, .from = series->from, .to = series->to};
    suspect.rising = rising_judge(
        &(struct rising_series){series->from, series->to, least_seconds, held, series->wakes});
    for (unsigned i = 0; i <= GROWTH_MOMENTS; i++) {
        suspect.bytes[i] = held[i * GROWTH_STEP].bytes;
        suspect.blocks[i] = held[i * GROWTH_STEP].blocks;
    }
    return suspect;
}

/* Is what is told of the one more than what is told of the other? */
static bool is_better(const struct suspect *one, const struct suspect *other)
{
    bool grows = one->rising.verdict == RISING_GROWS;
    if (grows != (other->rising.verdict == RISING_GROWS))
        return grows;
    return one->rising.gained > other->rising.gained;
}

static void take_judgement(struct suspect *best, struct suspect *suspect)
{
    size_t count = best->process_count + (suspect->rising.verdict == RISING_GROWS);
    if (is_better(suspect, best))
        *best = *suspect;
    best->process_count = count;
}

static void judge_process(struct survey *survey, size_t process, const struct growth_series *own,
                          const uint32_t *all_of, const uint32_t *key_of)
{
    for (size_t i = 0; i < own->count; i++) {
        if (all_of[i] == GROWTH_NONE)
            continue;
        struct suspect suspect = series_judge(own, i, key_of[i], LEAST_SECONDS_OF_ONE);
        suspect.process = &survey->recording->processes[process];
        take_judgement(&survey->best[all_of[i]], &suspect);
    }
}

/* A step of what is_kept() of a row in one process has come to. */
static void note_kept(struct survey *survey, const struct growth_steady *steady, uint32_t key)
{
    if (!steady->last.blocks)
        return;
    bool once =
        steady->since <= steady->first + 2 && GROWTH_MOMENTS - steady->since >= GROWTH_MOMENTS / 6;
    survey->kept[key] |= once ? 1 : 2;
}

/* --- playing --- */

/* The rows of one process. */
struct slots {
    uint32_t *of;     /* by counter */
    uint32_t *key_of; /* by slot */
    uint32_t *all_of; /* by slot */
    size_t count;
};

static void slots_deinit(struct slots *slots)
{
    free(slots->of);
    free(slots->key_of);
    free(slots->all_of);
}

/* Is a counter of this key to be followed? */
static bool is_wanted(const struct survey *survey, uint32_t key)
{
    if (key == GROUPING_NO_KEY || survey->query->lifetimes)
        return key != GROUPING_NO_KEY;
    return !(key & KEY_IMPORTED) && survey->watched[key] != GROWTH_NONE;
}

/* The slot of a key; made where there is none. */
static uint32_t slot_of(struct slots *slots, struct survey *survey, uint32_t key)
{
    bool imported = key & KEY_IMPORTED;
    uint32_t plain = key & ~KEY_IMPORTED;
    size_t keys = survey->growth->last.grouping.key_count;
    uint32_t *slot = &survey->slot_of_key[imported ? keys + plain : plain];
    if (*slot == GROWTH_NONE) {
        slots->key_of[slots->count] = plain;
        slots->all_of[slots->count] = imported ? GROWTH_NONE : survey->watched[plain];
        *slot = (uint32_t)slots->count++;
    }
    return *slot;
}

/* They are the process's alone. */
static void forget_slots(const struct slots *slots, struct survey *survey)
{
    size_t keys = survey->growth->last.grouping.key_count;
    for (size_t i = 0; i < slots->count; i++) {
        survey->slot_of_key[slots->key_of[i]] = GROWTH_NONE;
        survey->slot_of_key[keys + slots->key_of[i]] = GROWTH_NONE;
    }
}

static void slots_init(struct slots *slots, struct survey *survey, size_t process)
{
    const struct key_list *list = &survey->lists[process];
    size_t counters = survey->recording->processes[process].counter_count;
    *slots = (struct slots){
        .of = new_numbers(counters),
        .key_of = memory_new(counters, sizeof *slots->key_of),
        .all_of = memory_new(counters, sizeof *slots->all_of),
    };
    for (size_t i = 0; i < counters && i < list->count; i++)
        if (is_wanted(survey, list->keys[i]))
            slots->of[i] = slot_of(slots, survey, list->keys[i]);
    forget_slots(slots, survey);
}

/* Is the process judged by itself? */
static bool is_judged(const struct survey *survey, double from, double to)
{
    return survey->query->lifetimes ||
           (survey->growth->last.process_count > 1 && to - from >= LEAST_SECONDS_OF_ONE);
}

static bool play_slots(struct survey *survey, size_t process, const struct slots *slots,
                       double from, double to)
{
    const struct process *of = &survey->recording->processes[process];
    const struct query *query = survey->query;
    bool judged = is_judged(survey, from, to),
         exit = query->between && query->to.kind == MOMENT_EXIT;
    struct growth_series own = {0};
    CLEANUP(cleanup_free)
    struct growth_steady *steady =
        query->lifetimes ? memory_new(slots->count, sizeof *steady) : NULL;
    if (judged)
        growth_series_init(&own, slots->count, from, to);
    bool good = growth_play(&(struct growth_play){
        .recording = survey->recording,
        .process = process,
        .events = exit ? of->events : of->end_events,
        .to = to,
        .slot_of = slots->of,
        .slots = slots->count,
        .all_of = slots->all_of,
        .own = judged ? &own : NULL,
        .all = &survey->all,
        .steady = steady,
    });
    if (good && judged && survey->growth->last.process_count > 1)
        judge_process(survey, process, &own, slots->all_of, slots->key_of);
    for (size_t i = 0; good && steady && i < slots->count; i++)
        note_kept(survey, &steady[i], slots->key_of[i]);
    growth_series_deinit(&own);
    return good;
}

static bool play_process(struct survey *survey, size_t process)
{
    struct recording *recording = survey->recording;
    double from, to;
    if (!process_span(survey, &recording->processes[process], &from, &to))
        return false;
    if (!(from < to) || !(survey->all.from < survey->all.to))
        return true;
    if (survey->query->inherited && !inheritance_know(recording, process))
        return false;
    CLEANUP(slots_deinit) struct slots slots;
    slots_init(&slots, survey, process);
    bool good = play_slots(survey, process, &slots, from, to);
    inheritance_forget(recording, process);
    return good;
}

static bool play_all(struct survey *survey)
{
    const struct answer *last = &survey->growth->last;
    struct progress *progress = survey->recording->database.progress;
    bool good = true;
    progress_begin(progress, "looking at moments", last->process_count);
    for (size_t i = 0; good && i < last->process_count; i++)
        good = play_process(survey, last->processes[i]);
    progress_end(progress);
    return good;
}

/* --- what comes out --- */

static int compare_suspects(const void *a, const void *b)
{
    const struct suspect *one = a, *other = b;
    return ORDER(other->rising.slope, one->rising.slope) ?: ORDER(one->key, other->key);
}

static void take_suspect(struct growth *growth, const struct suspect *suspect)
{
    growth->suspects = memory_room(growth->suspects, growth->count, sizeof *growth->suspects);
    growth->suspects[growth->count++] = *suspect;
    growth->shapes[suspect->key] = SHAPE_GROWS;
}

static void take_unmet(struct growth *growth, const struct suspect *suspect)
{
    struct unmet *unmet = &growth->unmet[suspect->rising.verdict];
    if (!unmet->count++ || suspect->rising.gained > unmet->largest.rising.gained)
        unmet->largest = *suspect;
}

/* The sum of all is told where it grows. */
static void judge_row(struct survey *survey, uint32_t key)
{
    struct growth *growth = survey->growth;
    uint32_t number = survey->watched[key];
    struct suspect all = series_judge(&survey->all, number, key, LEAST_SECONDS);
    struct suspect *best = &survey->best[number];
    all.process_count = best->process_count;
    if (all.rising.verdict != RISING_GROWS && is_better(best, &all))
        all = *best;
    if (all.rising.verdict == RISING_GROWS)
        take_suspect(growth, &all);
    else
        take_unmet(growth, &all);
}

static void suspects_pick(struct survey *survey)
{
    struct growth *growth = survey->growth;
    size_t keys = growth->last.grouping.key_count;
    growth->shapes = memory_new(keys, sizeof *growth->shapes);
    for (uint32_t key = 0; key < keys; key++) {
        if (survey->kept[key] == 1)
            growth->shapes[key] = SHAPE_ONCE;
        if (survey->watched[key] != GROWTH_NONE && survey->all.from < survey->all.to)
            judge_row(survey, key);
    }
    if (growth->count)
        qsort(growth->suspects, growth->count, sizeof *growth->suspects, compare_suspects);
}

static void survey_deinit(struct survey *survey)
{
    for (size_t i = 0; survey->lists && i < survey->recording->process_count; i++)
        free(survey->lists[i].keys);
    free(survey->lists);
    free(survey->imports);
    free(survey->at_end);
    free(survey->watched);
    free(survey->slot_of_key);
    free(survey->best);
    free(survey->kept);
    growth_series_deinit(&survey->all);
}

bool growth_init(struct growth *growth, struct recording *recording, const struct query *query)
{
    struct progress *progress = recording->database.progress;
    *growth = (struct growth){0};
    CLEANUP(survey_deinit)
    struct survey survey = {.growth = growth, .recording = recording, .query = query};
    progress_begin(progress, "looking at moments", 2);
    bool good = find_rows(&survey) && choose_times(&survey) && play_all(&survey);
    progress_end(progress);
    if (good)
        suspects_pick(&survey);
    return good;
}

void growth_deinit(struct growth *growth)
{
    answer_deinit(&growth->last);
    free(growth->shapes);
    free(growth->suspects);
}
