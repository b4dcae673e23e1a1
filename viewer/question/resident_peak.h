/*
 * The moment at which most memory was resident, as the samples of the processes say.
 */
#ifndef HEAPLINE_VIEWER_QUESTION_RESIDENT_PEAK_H
#define HEAPLINE_VIEWER_QUESTION_RESIDENT_PEAK_H

#include "viewer/question/query.h"

/* The most that the chosen processes had resident together, and when; 0 bytes where nobody knows.
 * False, with a problem in the recording, when it is damaged. */
bool resident_peak_find(struct recording *recording, const struct query *query, uint64_t *bytes,
                        double *time);

/* Makes times of the query's moments of this kind. False as above, also where it is not known. */
bool resident_peak_resolve(struct query *query, struct recording *recording);

#endif
