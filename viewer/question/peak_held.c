/*
 * Choosing where to read it: from nowhere, from the history or from slices.
 */
#include "viewer/question/peak_held.h"

#include "viewer/base/memory.h"
#include "viewer/history/slices.h"

bool peak_is_own(const struct process *process, const struct peak_position *position)
{
    return position->lived && position->events == process->peak_events;
}

bool peak_holds_anything(const struct peak_position *position, bool inherited)
{
    return position->blocks || (position->lived && inherited);
}

bool peak_held(struct recording *recording, size_t process, const struct peak_position *position,
               bool inherited, struct held **held)
{
    const struct process *of = &recording->processes[process];
    struct slice_end end;
    *held = NULL;
    if (peak_is_own(of, position))
        return true;
    if (!peak_holds_anything(position, inherited)) {
        *held = memory_new(of->counter_count, sizeof **held);
        return true;
    }
    if (recording->run.history)
        return history_held_at(recording, process, position->events, held);
    return slices_find_event(recording, process, position->events, &end) &&
           slices_held_at(recording, process, end.event, held);
}
