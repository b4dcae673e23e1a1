/*
 * Does what a row holds rise steadily to the end? The rule by which a leak is told from what only
 * looks like one for a while, for one series of values; on whose behalf is not its concern.
 *
 * The values stand at the RISING_TICKS + 1 edges of even ticks of time. What counts is the *floor*,
 * what a row never falls below again: a buffer that is emptied has none, and what comes and goes on
 * top of a leak does not hide it. From where the floor begins to rise,
 *
 *   - it has gained something worth naming, and the row had not held as much before;
 *   - it rises in bytes and in blocks, in at least half of eight equal parts;
 *   - neither half of the time brings nearly all of it;
 *   - and it has not come to rest: since the last gain no more time has passed than there was
 *     between gains before, or an eighth of all.
 *
 * What comes and goes ends somewhere on its way up: what was gained since the last of several falls
 * that were higher is left out.
 *
 * What was loaded in front of a leak, in one step or over a while of at most half the time, hides
 * nothing: what comes behind it is judged by itself, more strictly, since the slow end of what
 * fills up would pass for a leak by the rules above. And what had been held for a quarter of the
 * time was no gain when it is held again, as by a pool whose worker was replaced.
 *
 * Time is the time in which the process was awake, so that one that has nothing to do any more, or
 * had not for a while, is judged by what it did before; a process that sleeps for most of it is not
 * said to grow for ever. How much work there is in a tick does not matter, beyond what is usual.
 */
#ifndef HEAPLINE_VIEWER_QUESTION_RISING_H
#define HEAPLINE_VIEWER_QUESTION_RISING_H

#include <stdint.h>

#include "viewer/history/replay.h"

#define RISING_TICKS 120u
/* A floor that has risen by less is not worth a line, whatever its shape. */
#define RISING_LEAST 16384u

/* The first rule that was not met. */
enum rising_verdict {
    RISING_LITTLE,     /* gained less than RISING_LEAST */
    RISING_GIVEN_BACK, /* held as much before, and gave it back */
    RISING_SHORT,      /* rises for too short a time to say */
    RISING_FEW,        /* in fewer than four of eight parts of the time since it began */
    RISING_STOPPED,    /* came to rest */
    RISING_HARDLY,     /* the same, but for next to nothing */
    RISING_SLOWED,     /* the later half brought little */
    RISING_SUDDEN,     /* the earlier half did */
    RISING_BLOCKS,     /* bytes rise, blocks do not */
    RISING_GROWS,      /* all were */
    RISING_VERDICTS,
};

struct rising_series {
    double from, to;         /* seconds */
    double least_seconds;    /* for which it must rise */
    const struct held *held; /* at each edge */
    const uint32_t *wakes;   /* by tick: how often the process was seen awake */
};

struct rising {
    enum rising_verdict verdict;
    uint64_t gained;    /* bytes of the floor, since it began */
    double since, last; /* when it began to rise, and last rose */
    double slope;       /* bytes a second between these, by least squares */
};

struct rising rising_judge(const struct rising_series *series);

#endif
