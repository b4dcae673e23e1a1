/*
 * Answers a query in one pass over the counters.
 *
 * The rows are an array indexed by key while counting; then rows without any count are dropped,
 * the first ones of the order picked, and the rest summed. With --cumulative the pass counts by
 * node and cumulative.c spreads that over the keys.
 *
 * Two filters look at files, and at the modules of native code: without --cumulative those of the
 * innermost frame decide whether a counted row is part of the answer at all; with it, whether a row
 * of the answer is shown, and the answer's own sum stays that of the moment.
 */
#include "viewer/question/query.h"

#include <fnmatch.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "viewer/base/cleanup.h"
#include "viewer/base/memory.h"
#include "viewer/history/inherited_counters.h"
#include "viewer/history/play.h"
#include "viewer/history/replay.h"
#include "viewer/history/slices.h"
#include "viewer/question/cumulative.h"
#include "viewer/question/peak_held.h"
#include "viewer/recording/counters.h"
#include "viewer/recording/inheritance.h"

#define LIMIT_DEFAULT 10u

const char *const group_names[] = {
    [GROUP_BY_LINE] = "line",
    [GROUP_BY_FILE] = "file",
    [GROUP_BY_FUNCTION] = "function",
    [GROUP_BY_STACK] = "stack",
    [GROUP_BY_MODULE] = "module",
    [GROUP_BY_PACKAGE] = "package",
    [GROUP_BY_THREAD] = "thread",
    [GROUP_BY_ALLOCATOR] = "allocator",
    [GROUP_BY_SIZE] = "size",
    [GROUP_BY_PROCESS] = "process",
    NULL,
};

void query_init(struct query *query)
{
    *query = (struct query){.limit = LIMIT_DEFAULT};
}

void query_deinit(struct query *query)
{
    free(query->include.patterns);
    free(query->exclude.patterns);
    free(query->pids);
}

static bool glob_matches(const char *pattern, const char *path)
{
    if (fnmatch(pattern, path, 0) == 0)
        return true;
    CLEANUP(cleanup_free) char *below = memory_print("*/%s", pattern);
    return fnmatch(below, path, 0) == 0;
}

bool globs_match(const struct globs *globs, const char *path)
{
    for (size_t i = 0; i < globs->count; i++)
        if (glob_matches(globs->patterns[i], path))
            return true;
    return false;
}

static bool globs_match_frame(const struct globs *globs, const struct frame *frame)
{
    return globs_match(globs, frame->file) ||
           (frame->module && globs_match(globs, frame->module->path));
}

/* Is what stands in this file or module asked for? */
static bool query_wants_frame(const struct query *query, const struct frame *frame)
{
    if (!frame->file)
        return query->include.count == 0;
    if (query->include.count && !globs_match_frame(&query->include, frame))
        return false;
    return !globs_match_frame(&query->exclude, frame);
}

bool query_wants_process(const struct query *query, const struct process *process)
{
    for (size_t i = 0; i < query->pid_count; i++)
        if (query->pids[i] == process->pid)
            return true;
    return query->pid_count == 0;
}

bool query_is_filtered(const struct query *query)
{
    return query->include.count || query->exclude.count || query->allocators || query->pid_count;
}

/* What the pass over the counters needs. */
struct count {
    const struct query *query;
    const struct grouping *grouping;
    const struct peak *peak;
    bool in_order;    /* the span's moments are, of some process */
    bool *wanted;     /* by location; NULL: all */
    struct row *rows; /* by key or by node */
    struct row view;
    /* Of the process at hand, by counter, when its rows do not say it themselves. */
    struct held *held;
    struct happened *happened;
    const struct peak_position *expected; /* what `own` must come to; NULL: anything */
    struct held own;                      /* held, but for what was inherited */
    struct lifetimes *lifetimes;
    struct lifetimes *lifetimes_by_key; /* NULL: not asked for */
    answer_visitor *visit;              /* NULL: nobody wants to see them */
    void *visit_context;
};

static struct row row_of_span(const struct happened *happened)
{
    return (struct row){
        .bytes = happened->kept.bytes,
        .blocks = happened->kept.blocks,
        .allocated_bytes = happened->allocated_bytes,
        .allocations = happened->allocations,
        .freed_bytes = happened->freed.bytes,
        .freed_blocks = happened->freed.blocks,
    };
}

static struct row row_at(const struct count *count, uint32_t number,
                         const struct counter_row *counter)
{
    if (count->happened)
        return row_of_span(&count->happened[number]);
    struct row row = {
        .allocated_bytes = counter->allocated_bytes,
        .allocations = counter->allocations,
    };
    if (count->query->temporary == 1) {
        row.bytes = counter->temporary_bytes;
        row.blocks = counter->temporary_blocks;
        return row;
    }
    if (count->held) {
        row.bytes = count->held[number].bytes;
        row.blocks = count->held[number].blocks;
        return row;
    }
    switch (count->query->at.kind) {
    case MOMENT_PEAK:
        row.bytes = counter->peak_bytes;
        row.blocks = counter->peak_blocks;
        break;
    case MOMENT_END:
        row.bytes = counter->end_bytes;
        row.blocks = counter->end_blocks;
        break;
    case MOMENT_EXIT:
        row.bytes = counter->leaked_bytes;
        row.blocks = counter->leaked_blocks;
        break;
    case MOMENT_TIME:
        break; /* is held */
    }
    return row;
}

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
    if (count->expected && !inherited) {
        count->own.bytes += count->held[number].bytes;
        count->own.blocks += count->held[number].blocks;
    }
    if (inherited && !query->inherited)
        return;
    if (query->allocators && !(query->allocators >> counter->allocator & 1))
        return;
    uint32_t location = query->blame == BLAME_PYTHON
                            ? count->grouping->blamed[counter->node]
                            : count->grouping->recording->stacks.location[counter->node];
    if (count->wanted && !query->cumulative && !count->wanted[location])
        return;
    struct row row = row_at(count, number, counter);
    if (inherited) /* allocated elsewhere */
        row.allocations = row.allocated_bytes = 0;
    uint32_t key =
        query->cumulative ? counter->node : grouping_key(count->grouping, process, counter);
    if (key == GROUPING_NO_KEY)
        return;
    if (count->visit)
        count->visit(count->visit_context, &(struct counted){process, number, key, counter, &row});
    row_add(&count->view, &row);
    row_add(&count->rows[key], &row);
    if (count->lifetimes_by_key)
        lifetimes_add(&count->lifetimes_by_key[key], &count->lifetimes[number]);
}

/* Which locations are in files that are asked for. Neighbours are often in the same file. */
static bool *wanted_locations(const struct query *query, const struct symbols *symbols)
{
    if (!query->include.count && !query->exclude.count)
        return NULL;
    bool *wanted = memory_new(symbols->frame_count, sizeof *wanted);
    for (size_t i = 0; i < symbols->frame_count; i++) {
        const struct frame *frame = &symbols->frames[i];
        wanted[i] =
            i && frame->file == frame[-1].file ? wanted[i - 1] : query_wants_frame(query, frame);
    }
    return wanted;
}

static void totals_add(struct totals *totals, const struct process *process)
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

/* Does the question go beyond what the counters' rows say? */
static bool needs_more(const struct query *query)
{
    return query->between || (!query->temporary && query->at.kind == MOMENT_TIME);
}

/* NaN where it is not known. */
static double process_time(struct recording *recording, size_t number, const struct moment *moment,
                           bool by_slices)
{
    const struct process *process = &recording->processes[number];
    struct slice_end end;
    double seconds;
    if (by_slices)
        return slices_find(recording, number, moment, &end) ? end.time : NAN;
    switch (moment->kind) {
    case MOMENT_PEAK:
        return process->peak_time;
    case MOMENT_END:
        return process->end_time;
    case MOMENT_EXIT:
        return process->ended;
    case MOMENT_TIME:
        break;
    }
    return moment_seconds(moment, recording, &seconds) ? seconds : NAN;
}

/* The time of a moment, where it is the same of all processes. */
static double answer_time(const struct answer *answer, struct recording *recording,
                          const struct moment *moment)
{
    if (answer->process_count == 1)
        return process_time(recording, answer->processes[0], moment, answer->by_slices);
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

/* Is the question what was held at the peak? */
static bool asks_for_peak(const struct query *query)
{
    return !query->between && !query->temporary && query->at.kind == MOMENT_PEAK;
}

/* Without history: do slices stand in for what is not known exactly? */
static bool needs_slices(const struct answer *answer, const struct recording *recording)
{
    bool needs = needs_more(&answer->query);
    for (size_t i = 0; asks_for_peak(&answer->query) && i < answer->process_count; i++) {
        size_t process = answer->processes[i];
        const struct peak_position *position = &answer->peak.positions[process];
        needs |= peak_holds_anything(position, answer->query.inherited) &&
                 !peak_is_own(&recording->processes[process], position);
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

/* A process's events up to a moment. */
static bool find_position(const struct count *count, struct recording *recording, size_t process,
                          const struct moment *moment, uint64_t *position)
{
    if (moment->kind != MOMENT_PEAK)
        return history_position(recording, process, moment, position);
    *position = count->peak->positions[process].events;
    return true;
}

static bool find_slice(const struct count *count, struct recording *recording, size_t process,
                       const struct moment *moment, struct slice_end *end)
{
    if (moment->kind != MOMENT_PEAK)
        return slices_find(recording, process, moment, end);
    return slices_find_event(recording, process, count->peak->positions[process].events, end);
}

/* A span that ends before it begins is empty: one of several processes may have ended before. */
static void put_in_order(struct count *count, uint64_t from, uint64_t *to)
{
    count->in_order |= from <= *to;
    if (*to < from)
        *to = from;
}

/* Has the process ended at a moment that is the same for all, a time or the peak of several? */
static bool is_gone(const struct count *count, struct recording *recording, size_t process,
                    const struct moment *moment)
{
    const struct peak *peak = count->peak;
    if (moment->kind != MOMENT_PEAK)
        return moment_is_after(moment, recording, process);
    return !peak->positions[process].lived && recording->processes[process].started < peak->time;
}

/* What a process holds goes with it: what was there at the start of the span, and what has come in
 * it. */
static void end_span(const struct process *process, const struct held *before,
                     struct happened *happened)
{
    for (uint32_t i = 0; i < process->counter_count; i++) {
        happened[i].kept = (struct held){0};
        happened[i].freed = before ? before[i] : (struct held){0};
    }
}

/* Takes away what a process can neither keep nor free in a span because it has ended. */
static bool end_loaded_span(struct recording *recording, size_t process, struct count *count,
                            uint64_t from)
{
    const struct process *of = &recording->processes[process];
    CLEANUP(cleanup_free) struct held *before = NULL;
    if (!is_gone(count, recording, process, &count->query->to))
        return true;
    if (from && !is_gone(count, recording, process, &count->query->from) &&
        !(recording->run.history ? history_held_at(recording, process, from, &before)
                                 : slices_held_at(recording, process, from, &before)))
        return false;
    end_span(of, before, count->happened);
    return true;
}

/* What happened to a process's counters between the moments. */
static bool load_span(struct recording *recording, size_t process, struct count *count)
{
    const struct query *query = count->query;
    uint64_t from, to;
    if (!find_position(count, recording, process, &query->from, &from) ||
        !find_position(count, recording, process, &query->to, &to))
        return false;
    put_in_order(count, from, &to);
    return history_between(recording, process, from, to, &count->happened) &&
           end_loaded_span(recording, process, count, from);
}

/* The same from slices. */
static bool load_slices(struct recording *recording, size_t process, struct count *count)
{
    const struct query *query = count->query;
    struct slice_end from, to;
    if (!query->between)
        return slices_find(recording, process, &query->at, &to) &&
               slices_held_at(recording, process, to.event, &count->held);
    if (!find_slice(count, recording, process, &query->from, &from) ||
        !find_slice(count, recording, process, &query->to, &to))
        return false;
    put_in_order(count, from.event, &to.event);
    return slices_between(recording, process, from.event, to.event, &count->happened) &&
           end_loaded_span(recording, process, count, from.event);
}

/* What a process held at the peak of all that are asked for. Played, it must be what the collector
 * says. */
static bool load_peak(struct recording *recording, size_t process, struct count *count)
{
    const struct peak_position *position = &count->peak->positions[process];
    bool inherited = count->query->inherited;
    if (!peak_held(recording, process, position, inherited, &count->held))
        return false;
    if (count->held && recording->run.history && peak_holds_anything(position, inherited))
        count->expected = position;
    return true;
}

/* Is the moment one before the process began, or after it ended? Then it holds nothing, not what it
 * inherits either. */
static bool is_absent(struct recording *recording, size_t process, const struct query *query)
{
    double seconds;
    return !query->between && query->at.kind == MOMENT_TIME &&
           moment_seconds(&query->at, recording, &seconds) &&
           (seconds < recording->processes[process].started ||
            process_is_gone(recording, process, seconds));
}

/* Reads what the counters' rows do not say. */
static bool load_moment(struct recording *recording, size_t process, struct count *count)
{
    const struct query *query = count->query;
    uint64_t position;
    if (query->temporary > 1)
        return history_temporary(recording, process, query->temporary, &count->held);
    if (asks_for_peak(query))
        return load_peak(recording, process, count);
    if (!needs_more(query))
        return true;
    if (is_absent(recording, process, query)) {
        count->held = memory_new(recording->processes[process].counter_count, sizeof *count->held);
        return true;
    }
    if (!recording->run.history)
        return load_slices(recording, process, count);
    if (query->between)
        return load_span(recording, process, count);
    return history_position(recording, process, &query->at, &position) &&
           history_held_at(recording, process, position, &count->held);
}

/* Does the history hold at the peak what the collector says? */
static bool check_expected(struct recording *recording, size_t process, const struct count *count)
{
    return !count->expected ||
           (count->own.bytes == count->expected->bytes &&
            count->own.blocks == count->expected->blocks) ||
           database_damaged(&recording->database,
                            "process %" PRId64 " does not hold its part of the peak",
                            recording->processes[process].pid);
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
    bool good =
        (!count->query->inherited || inheritance_know(recording, process)) &&
        load_moment(recording, process, count) &&
        (!count->query->lifetimes || history_lifetimes(recording, process, &count->lifetimes)) &&
        counters_visit(recording, process, count_row, count) &&
        check_expected(recording, process, count);
    progress_end(progress);
    inheritance_forget(recording, process);
    free(count->held);
    free(count->happened);
    free(count->lifetimes);
    count->held = NULL;
    count->happened = NULL;
    count->lifetimes = NULL;
    count->expected = NULL;
    count->own = (struct held){0};
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
    if (!answer_find_peak(answer, recording))
        return false;
    answer_find_times(answer, recording);
    grouping_init(&answer->grouping, recording, query->by, query->blame);
    CLEANUP(cleanup_free) bool *wanted = wanted_locations(query, &recording->symbols);
    size_t count_rows = query->cumulative ? recording->stacks.count : answer->grouping.key_count;
    struct count count = {
        .query = &answer->query,
        .grouping = &answer->grouping,
        .peak = &answer->peak,
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
    free(answer->processes);
    free(answer->rows);
    free(answer->lifetimes);
    grouping_deinit(&answer->grouping);
}
