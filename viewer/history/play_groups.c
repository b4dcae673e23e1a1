/*
 * One pass over the events. Lifetimes need no table of blocks: their sum is that of the times of
 * the frees less that of the allocations, and what lives on is as if it were freed at the end.
 */
#include "viewer/history/play_groups.h"

#include <inttypes.h>
#include <math.h>

#include "viewer/base/cleanup.h"
#include "viewer/base/memory.h"
#include "viewer/history/history_walk.h"
#include "viewer/history/moment.h"

/* Modulo 2^64. Without a branch but for the rare one: which way an event goes nobody can foresee.
 */
static void play_event(struct played_group *group, const struct history_event *event)
{
    uint64_t sign = event->kind == HISTORY_FREE ? UINT64_MAX : 1;
    group->held.blocks += sign;
    group->held.bytes += sign * event->pair->size;
    group->lived_us -= sign * event->time_us;
    if (group->held.bytes > group->most.bytes)
        group->most = group->held;
}

/* The group of each of the chunk's pairs, `none` of those that have none. False when none has. */
static bool find_groups(const struct history_reader *reader, const uint32_t *group_of,
                        struct played_group *groups, struct played_group *none,
                        struct played_group **by_pair)
{
    bool any = false;
    for (uint32_t i = 0; i < reader->pair_count; i++) {
        uint32_t group = group_of[reader->pairs[i].counter - 1];
        any |= group != PLAY_NO_GROUP;
        by_pair[i] = group == PLAY_NO_GROUP ? none : &groups[group];
    }
    return any;
}

static bool play_chunk(struct history_walk *walk, struct played_group *const *by_pair)
{
    const struct history_pair *pairs = walk->reader.pairs;
    struct history_event event;
    enum history_step step;
    if (!history_walk_open(walk))
        return false;
    while ((step = history_next(&walk->reader, &event)) == HISTORY_EVENT)
        play_event(by_pair[event.pair - pairs], &event);
    return step == HISTORY_END || history_walk_damaged(walk);
}

/* A snapshot ends a chunk, so that no chunk goes beyond the process's events. */
static bool groups_play(struct history_walk *walk, const uint32_t *group_of,
                        struct played_group *groups, uint64_t *last_us)
{
    CLEANUP(cleanup_free)
    struct played_group **by_pair = memory_new(HISTORY_EVENTS_MAX, sizeof *by_pair);
    struct played_group none = {0};
    enum rows_step step;
    while ((step = history_walk_chunk(walk)) == ROWS_ROW) {
        *last_us = walk->reader.span.ended_us;
        if (find_groups(&walk->reader, group_of, groups, &none, by_pair) &&
            !play_chunk(walk, by_pair))
            return false;
    }
    return step == ROWS_END;
}

/* As if allocated when the process began. */
static void begin_with_inherited(const struct process *process, const uint32_t *group_of,
                                 struct played_group *groups)
{
    const struct held *inherited = process->inherited.held;
    for (uint32_t i = 0; inherited && i < process->counter_count; i++) {
        if (group_of[i] == PLAY_NO_GROUP)
            continue;
        struct played_group *group = &groups[group_of[i]];
        held_add(&group->held, inherited[i]);
        group->lived_us -= inherited[i].blocks * (uint64_t)(process->started * 1e6);
        group->most = group->held;
    }
}

bool play_groups(struct recording *recording, size_t process, const uint32_t *group_of,
                 struct played_group *groups, size_t group_count)
{
    const struct process *of = &recording->processes[process];
    if (!history_is_kept(recording))
        return false;
    CLEANUP(history_walk_deinit) struct history_walk walk;
    uint64_t last_us = 0;
    if (!history_walk_init(&walk, &recording->database, of->id, of->counter_count, 0, of->events))
        return false;
    begin_with_inherited(of, group_of, groups);
    history_walk_tell(&walk);
    if (!groups_play(&walk, group_of, groups, &last_us))
        return false;
    if (walk.next < of->events)
        return database_refuse(&recording->database,
                               "the history of process %" PRId64 " in %s ends after %" PRIu64
                               " of its %" PRIu64 " events: what follows cannot be played",
                               of->pid, recording->database.path, walk.next, of->events);
    double end = isnan(of->ended) ? run_length(recording) : of->ended;
    uint64_t end_us = (uint64_t)llround(end * 1e6);
    end_us = end_us > last_us ? end_us : last_us;
    for (size_t i = 0; i < group_count; i++)
        groups[i].lived_us += groups[i].held.blocks * end_us;
    return true;
}
