/*
 * Looking things up in a recording.
 */
#include "viewer/recording/recording.h"

#include <stdlib.h>

#include "viewer/base/order.h"

static int compare_ids(const void *id, const void *process)
{
    uint32_t wanted = *(const uint32_t *)id, there = ((const struct process *)process)->id;
    return ORDER(wanted, there);
}

struct process *recording_process(struct recording *recording, uint32_t id)
{
    return recording->process_count ? bsearch(&id, recording->processes, recording->process_count,
                                              sizeof *recording->processes, compare_ids)
                                    : NULL;
}

const char *recording_problem(const struct recording *recording)
{
    return recording->database.problem;
}

uint64_t recording_lost_events(const struct recording *recording)
{
    uint64_t lost = 0;
    for (size_t i = 0; i < recording->process_count; i++)
        lost += recording->processes[i].lost_events;
    return lost;
}
