/*
 * How the blocks of each row live: how many there are a second, how long they last, what is kept of
 * them, and what that looks like over time.
 */
#ifndef HEAPLINE_VIEWER_QUESTION_LIVES_H
#define HEAPLINE_VIEWER_QUESTION_LIVES_H

#include "viewer/question/growth.h"

struct lives {
    struct growth growth; /* growth.last has the rows: what is held at the end; its lifetimes */
    double seconds;       /* what rates are told by */
};

/* Asks the query (its moment does not matter) of the whole run; growth.last.rows are sorted and
 * limited as it says. False, with a problem in the recording. Needs lives_deinit() in either case;
 * recording and query must outlive it. */
bool lives_init(struct lives *lives, struct recording *recording, const struct query *query);
void lives_deinit(struct lives *lives);

/* What a row's memory looks like over time. SHAPE_ONCE only where at least half of all its blocks
 * were kept to the end. */
enum shape lives_shape(const struct lives *lives, const struct row *row);

/* How many blocks were freed. */
uint64_t lifetimes_deaths(const struct lifetimes *lifetimes);

/* The class that half of them do not go beyond; LIFETIME_CLASSES when there are none. */
unsigned lifetimes_median(const int64_t *by_class);

#endif
