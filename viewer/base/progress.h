/*
 * How far something is that takes long: one line on a terminal's stderr, from the second second on,
 * which is taken away before anything else is said.
 *
 * What takes long is made of parts, and those of parts in turn: of a part that begins within
 * another one the outer one's next step is made, and whoever does it needs to know nothing of that.
 *
 * Where stderr is no terminal nothing is said, nor where there is nobody to say it: all functions
 * take NULL for that. One thread.
 */
#ifndef HEAPLINE_VIEWER_BASE_PROGRESS_H
#define HEAPLINE_VIEWER_BASE_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

/* Parts within parts; those of more levels count as nothing. */
#define PROGRESS_LEVELS 6u

struct progress {
    const char *command; /* what the line begins with */
    const char *doing;   /* the outermost part */
    struct progress_part {
        uint64_t done, whole; /* steps */
    } parts[PROGRESS_LEVELS]; /* the outermost first */
    unsigned depth;           /* how many have begun */
    struct timespec next;     /* when to say something */
    bool is_silent, is_shown;
};

/* The first second begins. */
void progress_init(struct progress *progress, const char *command);

/* A part begins that has so many steps; 0: nobody knows. What it is called is said of the outermost
 * one. Needs progress_end(), also where it fails. */
void progress_begin(struct progress *progress, const char *doing, uint64_t whole);
/* So many more of them are done; none: time has passed. */
void progress_step(struct progress *progress, uint64_t steps);
/* It is done. With the outermost one the line goes away. */
void progress_end(struct progress *progress);

/* From now on something else is said there. */
void progress_silence(struct progress *progress);

#endif
