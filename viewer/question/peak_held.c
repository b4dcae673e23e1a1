/*
 * Choosing where to read it: nowhere, or at the source.
 */
#include "viewer/question/peak_held.h"

#include "viewer/base/memory.h"
#include "viewer/history/counter_source.h"
#include "viewer/recording/touched.h"

bool peak_is_own(const struct process *process, const struct peak_position *position,
                 bool is_touched)
{
    return position->lived && (is_touched ? position->events == process->touched.events &&
                                                position->bytes == process->touched.bytes
                                          : position->events == process->peak_events);
}

bool peak_holds_anything(const struct peak_position *position, bool inherited)
{
    return position->blocks || (position->lived && inherited);
}

bool peak_held(struct recording *recording, size_t process, const struct peak_position *position,
               bool inherited, struct held **held)
{
    const struct process *of = &recording->processes[process];
    const struct counter_source *source = counter_source_of(recording);
    struct position point;
    *held = NULL;
    if (peak_is_own(of, position, false))
        return true;
    if (!peak_holds_anything(position, inherited)) {
        *held = memory_new(of->counter_count, sizeof **held);
        return true;
    }
    return source->position_after(recording, process, position->events, &point) &&
           source->held_at(recording, process, point.events, held);
}

bool peak_held_touched(struct recording *recording, size_t process,
                       const struct peak_position *position, struct held **held)
{
    const struct process *of = &recording->processes[process];
    const struct counter_source *source = counter_source_of(recording);
    struct position point;
    *held = NULL;
    if (peak_is_own(of, position, true))
        return touched_is_peak(of) || touched_read(recording, process, held);
    if (!peak_holds_anything(position, false)) {
        *held = memory_new(of->counter_count, sizeof **held);
        return true;
    }
    return source->position_after(recording, process, position->events, &point) &&
           source->held_at(recording, process, point.events, held) &&
           touched_take_away(recording, process, *held);
}
