/*
 * Who keeps the arenas: the lines whose blocks are all that lives in memory that would go back to
 * the system otherwise.
 *
 * An arena of pymalloc goes back when its last block does. It is *pinned* when less than half of it
 * is in use. What is pinned is shared out evenly among the lines that have blocks there, so that it
 * adds up; what a line pins alone goes back when its blocks do.
 */
#ifndef HEAPLINE_VIEWER_QUESTION_PINS_H
#define HEAPLINE_VIEWER_QUESTION_PINS_H

#include "viewer/recording/surveys.h"

struct pin {
    uint32_t location;
    uint64_t blocks, bytes; /* that it has in pinned arenas */
    uint64_t arenas;        /* pinned ones in which it has blocks */
    uint64_t pinned_bytes;  /* its share of them */
    uint64_t alone_bytes;   /* of those in which nobody else has any */
};

/* A line that is to be freed, after those before it. */
struct pin_step {
    uint32_t location;
    uint64_t freed_bytes; /* by this line and those before */
};

struct pins {
    struct pin *list; /* the one that pins most first */
    size_t count;
    uint64_t arenas, arena_bytes;    /* of all arenas, resident */
    uint64_t pinned, pinned_bytes;   /* of those that are pinned */
    uint64_t crowded, crowded_bytes; /* of those by so many lines that it is not known which */
    struct pin_step *steps;          /* a small set of lines that frees what is pinned */
    size_t step_count;
};

/* Of a survey that is loaded. Needs pins_deinit(). */
void pins_init(struct pins *pins, const struct survey *survey);
void pins_deinit(struct pins *pins);

#endif
