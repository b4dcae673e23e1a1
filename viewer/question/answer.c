/*
 * Answers a query in one pass over the counters.
 *
 * The rows are an array indexed by key while counting; then rows without any count are dropped,
 * the first ones of the order picked, and the rest summed. With --cumulative the pass counts by
 * node and cumulative.c spreads that over the keys.
 */
#include "viewer/question/answer.h"

#include <math.h>
#include <stdlib.h>

#include "viewer/base/cleanup.h"
#include "viewer/base/memory.h"
#include "viewer/question/cumulative.h"
#include "viewer/question/peak_held.h"
#include "viewer/question/process_figures.h"
#include "viewer/question/resident_peak.h"

/* What the pass over the counters needs. */
struct count {
    const struct query *query;
    const struct grouping *grouping;
    const struct peak *peak;
    bool in_order;    /* the span's moments are, of some process */
    bool *wanted;     /* by location; NULL: all */
    struct row *rows; /* by key or by node */
    struct row view;
    struct process_figures figures;     /* of the process at hand */
    struct lifetimes *lifetimes_by_key; /* NULL: not asked for */
    answer_visitor *visit;              /* NULL: nobody wants to see them */
    void *visit_context;
};

static void lifetimes_add(struct lifetimes *sum, const struct lifetimes *lifetimes)
{
    for (unsigned i = 0; i < LIFETIME_CLASSES; i++) {
        sum->by_age[i] += lifetimes->by_age[i];
        sum->by_time[i] += lifetimes->by_time[i];
    }
}

static void count_row(void *context, size_t process, uint32_t number,
                      const struct counter_row *counter, bool inherited)
{
    struct count *count = context;
    const struct query *query = count->query;
    struct row row = figures_row(&count->figures, number, counter, inherited);
    if (inherited && !query->inherited)
        return;
    if (!query_counts_row(query, counter))
        return;
    uint32_t location = query->blame == BLAME_PYTHON
                            ? count->grouping->blamed[counter->node]
                            : count->grouping->recording->stacks.location[counter->node];
    if (count->wanted && !query->cumulative && !count->wanted[location])
        return;
    uint32_t key =
        query->cumulative ? counter->node : grouping_key(count->grouping, process, counter);
    if (key == GROUPING_NO_KEY)
        return;
    if (count->visit)
        count->visit(count->visit_context, &(struct counted){process, number, key, counter, &row});
    row_add(&count->view, &row);
    row_add(&count->rows[key], &row);
    if (count->lifetimes_by_key)
        lifetimes_add(&count->lifetimes_by_key[key], &count->figures.lifetimes[number]);
}

void totals_add(struct totals *totals, const struct process *process)
{
    const struct sums *from = &process->sums;
    struct sums *sums = &totals->sums;
    sums->allocations += from->allocations;
    sums->allocated_bytes += from->allocated_bytes;
    sums->end_blocks += from->end_blocks;
    sums->end_bytes += from->end_bytes;
    sums->leaked_blocks += from->leaked_blocks;
    sums->leaked_bytes += from->leaked_bytes;
    totals->frees += process->frees;
    totals->unmatched_frees += process->unmatched_frees;
    totals->lost_events += process->lost_events;
}

/* NaN where it is not known. */
static double process_time(struct recording *recording, size_t number, const struct moment *moment,
                           bool by_slices)
{
    const struct process *process = &recording->processes[number];
    struct position end;
    double seconds;
    if (by_slices)
        return counter_source_of(recording)->position(recording, number, moment, &end) ? end.time
                                                                                       : NAN;
    switch (moment->kind) {
    case MOMENT_PEAK:
        return process->peak_time;
    case MOMENT_END:
        return process->end_time;
    case MOMENT_EXIT:
        return process->ended;
    case MOMENT_TOUCHED:
        return process->touched.time;
    case MOMENT_RESIDENT:
    case MOMENT_SELECTION:
    case MOMENT_TIME:
        break;
    }
    return moment_seconds(moment, recording, &seconds) ? seconds : NAN;
}

/* The time of a moment, where it is the same of all processes. */
static double answer_time(const struct answer *answer, struct recording *recording,
                          const struct moment *moment)
{
    if (moment->kind == MOMENT_SELECTION)
        return answer->selection.time;
    if (answer->process_count == 1)
        return process_time(recording, answer->processes[0], moment, answer->by_slices);
    if (moment->kind == MOMENT_TOUCHED)
        return answer->touched.time;
    return moment->kind == MOMENT_PEAK ? answer->peak.time : NAN;
}

static void answer_choose_processes(struct answer *answer, struct recording *recording)
{
    answer->processes = memory_new(recording->process_count, sizeof *answer->processes);
    for (size_t i = 0; i < recording->process_count; i++) {
        if (!query_wants_process(&answer->query, &recording->processes[i]))
            continue;
        answer->processes[answer->process_count++] = i;
        totals_add(&answer->totals, &recording->processes[i]);
    }
}

/* Where no moment is given it is the peak of what was touched, as far as that is known. */
static void answer_choose_moment(struct answer *answer, const struct recording *recording)
{
    struct query *query = &answer->query;
    bool is_given = query->at.kind != MOMENT_PEAK || query->at.text || query->between ||
                    query->temporary || query->inherited || query->no_peak;
    bool is_followed = answer->process_count < 2 || recording->touched.is_known;
    bool is_known = answer->process_count > 0 && is_followed;
    for (size_t i = 0; i < answer->process_count; i++)
        is_known &= recording->processes[answer->processes[i]].touched.is_known;
    if (!is_given && is_known &&
        (answer->process_count == 1 || answer->process_count == recording->process_count))
        query->at.kind = MOMENT_TOUCHED;
}

/* Within a tick of the clock it is not known who did what first: then all might seem to hold more
 * than they ever held. */
static bool answer_find_run_end(struct answer *answer, struct recording *recording)
{
    struct run_end *end = &answer->totals.run_end;
    if (!run_end_find(end, recording, answer->processes, answer->process_count))
        return false;
    if (end->bytes > answer->peak.bytes) {
        end->bytes = answer->peak.bytes;
        end->blocks = answer->peak.blocks;
    }
    return true;
}

static bool answer_find_peak(struct answer *answer, struct recording *recording)
{
    struct peak *peak = &answer->peak;
    struct totals *totals = &answer->totals;
    peak->time = NAN;
    if (!answer->query.no_peak &&
        !peak_init(peak, recording, answer->processes, answer->process_count))
        return false;
    if (!answer->query.no_peak && !answer_find_run_end(answer, recording))
        return false;
    totals->sums.peak_bytes = peak->bytes;
    totals->sums.peak_blocks = peak->blocks;
    totals->peak_time = peak->time;
    return true;
}

/* The same of what was touched, where that is known. */
static bool answer_find_touched(struct answer *answer, struct recording *recording)
{
    struct totals *totals = &answer->totals;
    struct peak *touched = &answer->touched;
    totals->resident_time = NAN;
    if (!resident_peak_find(recording, &answer->query, &totals->resident_bytes,
                            &totals->resident_time))
        return false;
    peak_init_touched(touched, recording, answer->processes, answer->process_count);
    totals->touched_is_known = touched->bytes || recording->touched.is_known;
    totals->touched_bytes = touched->bytes;
    totals->touched_blocks = touched->blocks;
    totals->touched_time = touched->time;
    for (size_t i = 0; i < answer->process_count; i++) {
        const struct touched *of = &recording->processes[answer->processes[i]].touched;
        totals->touched_error += of->error;
        if (of->largest_untouched > totals->largest_untouched) {
            totals->largest_untouched = of->largest_untouched;
            totals->largest_location = of->largest_location;
        }
    }
    if (answer->query.at.kind != MOMENT_TOUCHED || answer->query.between)
        return true;
    if (!totals->touched_is_known)
        return database_refuse(&recording->database,
                               "what was touched is not known of this recording; ask for --at "
                               "peak, or record the program again");
    return !answer->query.inherited ||
           database_refuse(&recording->database,
                           "what was touched of inherited memory is not known; leave out "
                           "--inherited, or ask for --at peak");
}

/* What is selected of a recording. */
struct selecting {
    const struct query *query;
    const struct recording *recording;
    const bool *wanted; /* by location; NULL: all */
};

static bool selects(const void *context, const struct counter_row *counter, bool inherited)
{
    const struct selecting *selecting = context;
    uint32_t location = selecting->recording->stacks.location[counter->node];
    return !inherited && query_counts_row(selecting->query, counter) &&
           (!selecting->wanted || selecting->wanted[location]);
}

static bool answer_find_selection(struct answer *answer, struct recording *recording)
{
    const struct query *query = &answer->query;
    if (query->between || query->temporary || query->at.kind != MOMENT_SELECTION)
        return true;
    CLEANUP(cleanup_free) bool *wanted = query_wanted_locations(query, &recording->symbols);
    const struct selecting selecting = {query, recording, wanted};
    const struct peak_selection selection = {selects, &selecting};
    if (query->inherited || query->cumulative)
        return database_refuse(&recording->database,
                               "the peak of a selection is of blocks by where they were allocated: "
                               "leave out --inherited and --cumulative");
    return peak_init_selection(&answer->selection, recording, answer->processes,
                               answer->process_count, &selection);
}

static const struct peak *answer_peak(const struct answer *answer)
{
    const struct figures_peaks peaks = {&answer->peak, &answer->touched, &answer->selection};
    return figures_peak(&answer->query, &peaks);
}

/* Without history: do slices stand in for what is not known exactly? */
static bool needs_slices(const struct answer *answer, const struct recording *recording)
{
    bool needs = figures_are_needed(&answer->query);
    for (size_t i = 0; figures_are_of_peak(&answer->query) && i < answer->process_count; i++) {
        size_t process = answer->processes[i];
        const struct peak *peak = answer_peak(answer);
        const struct peak_position *position = &peak->positions[process];
        needs |= peak_holds_anything(position, answer->query.inherited) &&
                 !peak_is_own(&recording->processes[process], position, peak->is_touched);
    }
    return needs && !recording->run.history;
}

static void answer_find_times(struct answer *answer, struct recording *recording)
{
    const struct query *query = &answer->query;
    answer->time = answer->from_time = NAN;
    answer->by_slices = needs_slices(answer, recording);
    if (!query->temporary)
        answer->time = answer_time(answer, recording, query->between ? &query->to : &query->at);
    if (query->between)
        answer->from_time = answer_time(answer, recording, &query->from);
}

/* How often a process's whole history is gone through, or a long part of it. */
static uint64_t history_passes(const struct recording *recording, const struct query *query)
{
    bool of_moments = query->temporary > 1 || (query->between && recording->run.history);
    return (uint64_t)of_moments + query->lifetimes;
}

static bool count_process(struct recording *recording, size_t process, struct count *count)
{
    struct progress *progress = recording->database.progress;
    progress_begin(progress, "reading a process", history_passes(recording, count->query));
    struct process_figures *figures = &count->figures;
    bool good = figures_init(figures, count->query, count->peak, recording, process) &&
                figures->source->visit(recording, process, count_row, count) &&
                figures_check(figures);
    progress_end(progress);
    count->in_order |= figures->in_order;
    figures_deinit(figures);
    return good;
}

static bool answer_count(struct answer *answer, struct recording *recording, struct count *count)
{
    const struct query *query = &answer->query;
    struct progress *progress = recording->database.progress;
    bool good = true;
    progress_begin(progress, "reading the recording", answer->process_count);
    for (size_t i = 0; good && i < answer->process_count; i++)
        good = count_process(recording, answer->processes[i], count);
    progress_end(progress);
    if (!good)
        return false;
    return !query->between || count->in_order || !answer->process_count ||
           database_refuse(&recording->database, "%s is after %s; give the earlier one first",
                           moment_text(&query->from), moment_text(&query->to));
}

/* Makes rows by key of rows by node. */
static struct row *spread_nodes(struct row *nodes, const struct grouping *grouping)
{
    struct row *rows = memory_new(grouping->key_count, sizeof *rows);
    cumulative_add(rows, nodes, grouping);
    free(nodes);
    return rows;
}

/* Which rows of a cumulative answer are asked for; NULL: all. */
static bool *wanted_keys(const struct answer *answer, const bool *wanted)
{
    const struct grouping *grouping = &answer->grouping;
    if (!answer->query.cumulative || !wanted)
        return NULL;
    bool *keys = memory_new(grouping->key_count, sizeof *keys);
    for (size_t i = 0; i < grouping->recording->symbols.frame_count; i++)
        keys[grouping->keys[i]] |= wanted[i];
    return keys;
}

/* Drops the rows that count nothing or are not asked for. */
static void answer_compact(struct answer *answer, const bool *wanted)
{
    const struct grouping *grouping = &answer->grouping;
    CLEANUP(cleanup_free) bool *keys = wanted_keys(answer, wanted);
    size_t kept = 0;
    for (uint32_t key = 0; key < grouping->key_count; key++) {
        struct row row = answer->rows[key];
        if (!row.bytes && !row.blocks && !row.allocated_bytes && !row.allocations &&
            !row.freed_blocks && !row.freed_bytes)
            continue;
        if (keys && !keys[key])
            continue;
        row.key = key;
        answer->rows[kept++] = row;
    }
    answer->row_count = kept;
}

void answer_arrange(struct answer *answer)
{
    size_t count = answer->row_count;
    size_t limit = answer->query.limit && answer->query.limit < count ? answer->query.limit : count;
    rows_select(answer->rows, count, limit, answer->query.sort, &answer->grouping);
    answer->row_count = limit;
    answer->rows_omitted = count - limit;
    for (size_t i = limit; i < count; i++)
        row_add(&answer->omitted, &answer->rows[i]);
}

bool answer_init_visited(struct answer *answer, struct recording *recording,
                         const struct query *query, answer_visitor *visit, void *context)
{
    *answer = (struct answer){.query = *query};
    answer_choose_processes(answer, recording);
    answer_choose_moment(answer, recording);
    if (!resident_peak_resolve(&answer->query, recording) || !answer_find_peak(answer, recording) ||
        !answer_find_touched(answer, recording) || !answer_find_selection(answer, recording))
        return false;
    answer_find_times(answer, recording);
    grouping_init(&answer->grouping, recording, query->by, query->blame);
    CLEANUP(cleanup_free) bool *wanted = query_wanted_locations(query, &recording->symbols);
    size_t count_rows = query->cumulative ? recording->stacks.count : answer->grouping.key_count;
    struct count count = {
        .query = &answer->query,
        .grouping = &answer->grouping,
        .peak = answer_peak(answer),
        .wanted = wanted,
        .rows = memory_new(count_rows, sizeof(struct row)),
        .lifetimes_by_key =
            query->lifetimes ? memory_new(count_rows, sizeof(struct lifetimes)) : NULL,
        .visit = visit,
        .visit_context = context,
    };
    bool good = answer_count(answer, recording, &count);
    answer->view = count.view;
    answer->rows = count.rows;
    answer->lifetimes = count.lifetimes_by_key;
    if (!good)
        return false;
    if (query->cumulative)
        answer->rows = spread_nodes(answer->rows, &answer->grouping);
    answer_compact(answer, wanted);
    answer_arrange(answer);
    return true;
}

bool answer_init(struct answer *answer, struct recording *recording, const struct query *query)
{
    return answer_init_visited(answer, recording, query, NULL, NULL);
}

void answer_deinit(struct answer *answer)
{
    peak_deinit(&answer->peak);
    peak_deinit(&answer->touched);
    peak_deinit(&answer->selection);
    free(answer->processes);
    free(answer->rows);
    free(answer->lifetimes);
    grouping_deinit(&answer->grouping);
}
