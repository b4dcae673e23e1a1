/*
 * What a process that has said hello was started as: from the kernel when it is on this host, else
 * from its own words.
 */
#ifndef HEAPLINE_COLLECTOR_WHEREABOUTS_H
#define HEAPLINE_COLLECTOR_WHEREABOUTS_H

#include "collector/peer/arrival.h"

struct whereabouts {
    char *words; /* the command's words, each with its NUL */
    size_t bytes;
    char *command; /* the same as a JSON array */
    char *folder;
};

/* False when memory is short; whereabouts_deinit() in any case. */
bool whereabouts_init(struct whereabouts *whereabouts, const struct arrival *arrival);
void whereabouts_deinit(struct whereabouts *whereabouts);

/* What the process's command line is now, or the title that it has put there since, as a JSON
 * array, which the caller frees; null when it has ended or memory is short. */
char *whereabouts_read_title(pid_t pid);

#endif
