/*
 * What rows held over time, in one pass over a process's history or its slices: at the edges of its
 * own time, and added up with the other processes' at those of the run. So many processes cost what
 * they have recorded, once, and not once for each moment.
 */
#ifndef HEAPLINE_VIEWER_QUESTION_GROWTH_PLAY_H
#define HEAPLINE_VIEWER_QUESTION_GROWTH_PLAY_H

#include <stdbool.h>

#include "viewer/question/rising.h"

/* Coarse steps, each of so many ticks, are what is shown. */
#define GROWTH_MOMENTS 24u
#define GROWTH_STEP    (RISING_TICKS / GROWTH_MOMENTS)

#define GROWTH_NONE UINT32_MAX

/* Series on one grid of time. */
struct growth_series {
    double from, to;
    size_t count;
    struct held *held; /* count * (RISING_TICKS + 1) */
    uint32_t wakes[RISING_TICKS];
};

void growth_series_init(struct growth_series *series, size_t count, double from, double to);
void growth_series_deinit(struct growth_series *series);

static inline struct held *growth_series_of(const struct growth_series *series, size_t number)
{
    return &series->held[number * (RISING_TICKS + 1)];
}

/* What a row was like in steps of a process's time. */
struct growth_steady {
    struct held last;
    uint8_t first; /* step at which it first held something; 255: none yet */
    uint8_t since; /* from which on it has been as it is */
};

struct growth_play {
    struct recording *recording;
    size_t process;
    uint64_t events;           /* up to which it is played, */
    double to;                 /* and up to which time */
    const uint32_t *slot_of;   /* by counter: its row among the process's, or GROWTH_NONE */
    size_t slots;              /* how many the process has */
    const uint32_t *all_of;    /* by slot: its row in `all`, or GROWTH_NONE */
    struct growth_series *own; /* by slot; NULL: not asked for */
    struct growth_series *all;
    struct growth_steady *steady; /* by slot; NULL: not asked for. Needs `own` */
};

/* False, with a problem in the recording, when what it has is damaged. */
bool growth_play(const struct growth_play *play);

#endif
