/*
 * The peak of some processes of a recording: the maximum over time of the sum of what they held,
 * and where each of them stood then.
 *
 * Of one process it is its own. Of all it is what the collector has followed. Of others it is found
 * by playing their histories. Where that cannot be, it is not known, and each one's own peak stands
 * in for it.
 */
#ifndef HEAPLINE_VIEWER_QUESTION_PEAK_H
#define HEAPLINE_VIEWER_QUESTION_PEAK_H

#include "viewer/question/peak_play.h"

/* `processes` are indices. False, with a problem in the recording, when its history is damaged.
 * Needs peak_deinit() in either case. */
bool peak_init(struct peak *peak, struct recording *recording, const size_t *processes,
               size_t count);
void peak_deinit(struct peak *peak);

/* The same of what was touched; of some of several processes, which have not been followed, it is
 * each one's own. */
void peak_init_touched(struct peak *peak, const struct recording *recording,
                       const size_t *processes, size_t count);

/* The same of a part of what was held, found by playing. False, with a problem in the recording,
 * where there is no history. */
bool peak_init_selection(struct peak *peak, struct recording *recording, const size_t *processes,
                         size_t count, const struct peak_selection *selection);

/* Is what was touched so much less than what was asked for that both are told? */
static inline bool peaks_part(uint64_t touched, uint64_t asked)
{
    return touched < asked - asked / 20;
}

#endif
