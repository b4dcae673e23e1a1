/*
 * Where in the collector something went wrong first: what a message about it ends with, so that
 * "memory is short" can be followed to its place. What the system said of it is the message's.
 */
#ifndef HEAPLINE_COLLECTOR_ORIGIN_H
#define HEAPLINE_COLLECTOR_ORIGIN_H

struct origin {
    const char *file; /* null: nothing went wrong */
    int line;
};

#define ORIGIN_HERE ((struct origin){__FILE_NAME__, __LINE__})

/* Of two the first stays. */
static inline void origin_note(struct origin *origin, struct origin here)
{
    if (!origin->file)
        *origin = here;
}

#endif
