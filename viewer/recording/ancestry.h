/*
 * The processes that a process descends from by forks, each up to where its child was forked; for
 * those who read histories without a whole recording (inheritance.h).
 */
#ifndef HEAPLINE_VIEWER_RECORDING_ANCESTRY_H
#define HEAPLINE_VIEWER_RECORDING_ANCESTRY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "viewer/recording/database.h"

struct ancestor {
    uint32_t process;  /* id */
    uint32_t counters; /* that it has in the file */
    uint64_t events;   /* up to the fork */
};

struct ancestry {
    struct ancestor *list; /* the oldest first */
    size_t count;
};

/* Of the process with this id. False, with a problem in the database, when it is damaged. Needs
 * ancestry_deinit() in either case. */
bool ancestry_init(struct ancestry *ancestry, struct database *database, uint32_t process);
void ancestry_deinit(struct ancestry *ancestry);

#endif
