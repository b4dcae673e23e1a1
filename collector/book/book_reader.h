/*
 * What a book says when it is asked: its totals, and its counters one after the other, as they
 * stand now. The recording is written from this, and whoever wants to see a run while it goes on
 * asks the same. The thread of the book's.
 */
#ifndef HEAPLINE_COLLECTOR_BOOK_READER_H
#define HEAPLINE_COLLECTOR_BOOK_READER_H

#include "chunk.h"
#include "collector/book/book.h"

/* What the process held at a moment. */
struct book_moment {
    uint64_t bytes, blocks;
    uint64_t events; /* that it had had */
    double time;     /* seconds from the run's start */
};

struct book_totals {
    struct book_moment peak, end, now; /* the end is now until the program's own code has ended */
    bool end_seen;
    struct book_moment touched; /* the peak of what was touched */
    uint64_t touched_error;     /* by how much it may have been more */
    uint64_t largest_untouched; /* of one block, so far */
    uint32_t largest_node;      /* where that was allocated */
    uint64_t allocations, allocated_bytes, frees, unmatched_frees;
};

struct book_totals book_totals(const struct book *book);

/* A walk over the counters, in the order of their numbers. Zeroed but for the book it begins. */
struct book_walk {
    const struct book *book;
    uint32_t counter; /* the one at hand */
    uint32_t end_at;  /* next entry of book->end.entries */
};

/* The next counter as a row of the recording; what is inherited is told as what has been freed of
 * it. False: there is none. */
bool book_walk_next(struct book_walk *walk, struct counter_row *row, bool *inherited);

/* Had the process touched all that it held at its peak, and is that the peak of what it touched? */
bool book_touched_is_peak(const struct book *book);

/* What a counter had touched at the peak of that; no blocks where it is apart. */
struct live_row book_touched(const struct book *book, uint32_t counter);

#endif
