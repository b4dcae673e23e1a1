/*
 * What groups of a process's counters were like over its whole life, by playing its history.
 */
#ifndef HEAPLINE_VIEWER_HISTORY_PLAY_GROUPS_H
#define HEAPLINE_VIEWER_HISTORY_PLAY_GROUPS_H

#include "viewer/history/replay.h"
#include "viewer/recording/recording.h"

#define PLAY_NO_GROUP UINT32_MAX

struct played_group {
    struct held held;  /* after the last event */
    struct held most;  /* when it held the most bytes, the first time */
    uint64_t lived_us; /* how long its blocks lived, added up; of those that were never freed until
                        * the end of the process, or of what is known of it */
};

/* `groups` are zeroed; group_of gives each counter of the process, from 0, its group, or none.
 * False, with a problem in the recording, when it has no history, or a damaged one. */
bool play_groups(struct recording *recording, size_t process, const uint32_t *group_of,
                 struct played_group *groups, size_t group_count);

#endif
