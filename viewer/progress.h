/*
 * How far something is that takes long: one line on a terminal's stderr, from the second second on.
 *
 * Where stderr is no terminal nothing is said. One thread.
 */
#ifndef HEAPLINE_VIEWER_PROGRESS_H
#define HEAPLINE_VIEWER_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

struct progress {
    const char *command; /* what the line begins with */
    const char *doing;
    uint64_t done, whole; /* of what is being done */
    struct timespec next; /* when to say something */
    bool is_silent, is_shown;
};

void progress_init(struct progress *progress, const char *command);
/* Takes the line away. */
void progress_deinit(struct progress *progress);

/* Something begins that has so many steps. */
void progress_begin(struct progress *progress, const char *doing, uint64_t whole);
/* So many more of them are done. */
void progress_step(struct progress *progress, uint64_t steps);

#endif
