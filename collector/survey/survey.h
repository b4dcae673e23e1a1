/*
 * A survey: what a process's resident memory is made of at a moment, in rows that add up to it.
 *
 * It is begun with a look at the process's pages, which takes some milliseconds a GiB, and finished
 * by going through the live blocks, which need not stand still but in the book. At its program's
 * end the process waits for the first and not for the second.
 *
 * Where nobody may look, nothing is taken; a row that cannot be told is left out, so that rows
 * never add up to more than there is. One thread.
 */
#ifndef HEAPLINE_COLLECTOR_SURVEY_H
#define HEAPLINE_COLLECTOR_SURVEY_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "resident.h"

struct book;
struct stack_tree;

/* Whose it is, and what is known of it beside its book. */
struct survey_subject {
    struct book *book;
    pid_t pid;                     /* 0: on another host */
    int root;                      /* its root folder (system/root_file.h) */
    const struct stack_tree *tree; /* of the book's nodes */
    uint64_t pool_bytes;           /* of pymalloc's */
    uint64_t *run_ns;              /* what surveys have taken of all processes: is added to */
};

/* Looks at the pages, `seconds` after the run's start; false: nothing can be seen. Then
 * survey_finish(), before the book changes. */
bool survey_begin(const struct survey_subject *subject, enum resident_moment moment,
                  double seconds);
void survey_finish(const struct survey_subject *subject);

/* Instead of that: what was seen is not what is told. */
void survey_forget(const struct survey_subject *subject);

/* Is it time for a survey: near a new peak, or because one is asked for each `every_ns` (0: it is
 * not)? */
bool survey_is_due(const struct book *book, uint64_t now_ns, uint64_t every_ns,
                   enum resident_moment *moment);

/* One that is due. */
struct survey_order {
    enum resident_moment moment;
    uint64_t now_ns; /* CLOCK_MONOTONIC */
    uint64_t every_ns;
    double seconds; /* since the run's start */
};

/* Takes it, once all has been read that the process has written. */
void survey_take(const struct survey_subject *subject, const struct survey_order *order);

#endif
