/*
 * Choosing what is asked of the source.
 *
 * A moment that is the same of all processes may lie before one has begun or after it has ended:
 * then it holds nothing. What it still held goes with its end, and of a span in which that lies has
 * been freed.
 */
#include "viewer/question/process_figures.h"

#include <inttypes.h>
#include <stdlib.h>

#include "allocators.h"
#include "viewer/base/cleanup.h"
#include "viewer/base/memory.h"
#include "viewer/history/inherited_counters.h"
#include "viewer/question/peak_held.h"
#include "viewer/recording/inheritance.h"

bool figures_are_needed(const struct query *query)
{
    return query->between || (!query->temporary && query->at.kind == MOMENT_TIME);
}

bool figures_are_of_peak(const struct query *query)
{
    return !query->between && !query->temporary &&
           (query->at.kind == MOMENT_PEAK || query->at.kind == MOMENT_TOUCHED ||
            query->at.kind == MOMENT_SELECTION);
}

const struct peak *figures_peak(const struct query *query, const struct figures_peaks *peaks)
{
    if (query->between)
        return peaks->asked;
    if (query->at.kind == MOMENT_SELECTION)
        return peaks->selection;
    return query->at.kind == MOMENT_TOUCHED ? peaks->touched : peaks->asked;
}

/* --- a span --- */

/* Up to where the process has come at a moment. */
static bool find_position(const struct process_figures *figures, const struct moment *moment,
                          struct position *position)
{
    size_t process = figures->process;
    if (moment->kind != MOMENT_PEAK)
        return figures->source->position(figures->recording, process, moment, position);
    return figures->source->position_after(figures->recording, process,
                                           figures->peak->positions[process].events, position);
}

/* Has the process ended at a moment that is the same for all, a time or the peak of several? */
static bool is_gone(const struct process_figures *figures, const struct moment *moment)
{
    struct recording *recording = figures->recording;
    const struct peak *peak = figures->peak;
    size_t process = figures->process;
    if (moment->kind != MOMENT_PEAK)
        return moment_is_after(moment, recording, process);
    return !peak->positions[process].lived && recording->processes[process].started < peak->time;
}

/* What a process holds goes with it: what was there at the start of the span, and what has come in
 * it. */
static void end_span(struct process_figures *figures, const struct held *before)
{
    const struct process *process = &figures->recording->processes[figures->process];
    for (uint32_t i = 0; i < process->counter_count; i++) {
        figures->happened[i].kept = (struct held){0};
        figures->happened[i].freed = before ? before[i] : (struct held){0};
    }
}

/* Takes away what a process can neither keep nor free in a span because it has ended. */
static bool end_loaded_span(struct process_figures *figures, uint64_t from)
{
    CLEANUP(cleanup_free) struct held *before = NULL;
    if (!is_gone(figures, &figures->query->to))
        return true;
    if (from && !is_gone(figures, &figures->query->from) &&
        !figures->source->held_at(figures->recording, figures->process, from, &before))
        return false;
    end_span(figures, before);
    return true;
}

/* What happened between the moments. A span that ends before it begins is empty: one of several
 * processes may have ended before. */
static bool load_span(struct process_figures *figures)
{
    struct position from, to;
    if (!find_position(figures, &figures->query->from, &from) ||
        !find_position(figures, &figures->query->to, &to))
        return false;
    figures->in_order = from.events <= to.events;
    if (!figures->in_order)
        to = from;
    return figures->source->between(figures->recording, figures->process, from.events, to.events,
                                    &figures->happened) &&
           end_loaded_span(figures, from.events);
}

/* --- a moment --- */

/* What a process held at the peak of all that are asked for. Played, it must be what the collector
 * says. */
static bool load_peak(struct process_figures *figures)
{
    const struct peak_position *position = &figures->peak->positions[figures->process];
    bool inherited = figures->query->inherited;
    bool good =
        figures->peak->is_touched
            ? peak_held_touched(figures->recording, figures->process, position, &figures->held)
            : peak_held(figures->recording, figures->process, position, inherited, &figures->held);
    if (!good)
        return false;
    if (figures->held && figures->recording->run.history && !figures->peak->is_of_selection &&
        peak_holds_anything(position, inherited))
        figures->expected = position;
    return true;
}

/* Is the moment one before the process began, or after it ended? Then it holds nothing, not what it
 * inherits either. */
static bool is_absent(const struct process_figures *figures)
{
    struct recording *recording = figures->recording;
    const struct moment *at = &figures->query->at;
    double seconds;
    return moment_seconds(at, recording, &seconds) &&
           (seconds < recording->processes[figures->process].started ||
            process_is_gone(recording, figures->process, seconds));
}

static bool load_moment(struct process_figures *figures)
{
    struct recording *recording = figures->recording;
    size_t process = figures->process;
    struct position position;
    if (is_absent(figures)) {
        figures->held =
            memory_new(recording->processes[process].counter_count, sizeof *figures->held);
        return true;
    }
    return find_position(figures, &figures->query->at, &position) &&
           figures->source->held_at(recording, process, position.events, &figures->held);
}

/* --- all --- */

static bool load_figures(struct process_figures *figures)
{
    const struct query *query = figures->query;
    if (query->temporary > 1)
        return figures->source->temporary(figures->recording, figures->process, query->temporary,
                                          &figures->held);
    if (figures_are_of_peak(query))
        return load_peak(figures);
    if (!figures_are_needed(query))
        return true;
    return query->between ? load_span(figures) : load_moment(figures);
}

bool figures_init(struct process_figures *figures, const struct query *query,
                  const struct peak *peak, struct recording *recording, size_t process)
{
    *figures = (struct process_figures){.query = query,
                                        .peak = peak,
                                        .recording = recording,
                                        .source = counter_source_of(recording),
                                        .process = process};
    return (!query->inherited || inheritance_know(recording, process)) && load_figures(figures) &&
           (!query->lifetimes ||
            figures->source->lifetimes(recording, process, &figures->lifetimes));
}

void figures_deinit(struct process_figures *figures)
{
    inheritance_forget(figures->recording, figures->process);
    free(figures->held);
    free(figures->happened);
    free(figures->lifetimes);
}

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

/* What a counter holds, as its row says where nothing else does. */
static struct held held_of(const struct process_figures *figures, uint32_t number,
                           const struct counter_row *counter)
{
    if (figures->query->temporary == 1)
        return (struct held){counter->temporary_bytes, counter->temporary_blocks};
    if (figures->held)
        return figures->held[number];
    switch (figures->query->at.kind) {
    case MOMENT_PEAK:
    case MOMENT_TOUCHED:
    case MOMENT_SELECTION:
        return (struct held){counter->peak_bytes, counter->peak_blocks};
    case MOMENT_END:
        return (struct held){counter->end_bytes, counter->end_blocks};
    case MOMENT_EXIT:
        return (struct held){counter->leaked_bytes, counter->leaked_blocks};
    case MOMENT_RESIDENT:
    case MOMENT_TIME:
        break; /* is held */
    }
    return (struct held){0};
}

struct row figures_row(struct process_figures *figures, uint32_t number,
                       const struct counter_row *counter, bool inherited)
{
    if (figures->expected && !inherited && !allocator_is_apart(counter->allocator))
        held_add(&figures->own, figures->held[number]);
    struct row row;
    if (figures->happened) {
        row = row_of_span(&figures->happened[number]);
    } else {
        struct held held = held_of(figures, number, counter);
        row = (struct row){
            .bytes = held.bytes,
            .blocks = held.blocks,
            .allocated_bytes = counter->allocated_bytes,
            .allocations = counter->allocations,
        };
    }
    if (inherited) /* allocated elsewhere */
        row.allocations = row.allocated_bytes = 0;
    return row;
}

bool figures_check(const struct process_figures *figures)
{
    const struct peak_position *expected = figures->expected;
    return !expected ||
           (figures->own.bytes == expected->bytes && figures->own.blocks == expected->blocks) ||
           database_damaged(&figures->recording->database,
                            "process %" PRId64 " does not hold its part of the peak",
                            figures->recording->processes[figures->process].pid);
}
