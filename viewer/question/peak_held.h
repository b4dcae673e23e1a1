/*
 * What each counter of a process held at the peak of several processes (peak.h).
 */
#ifndef HEAPLINE_VIEWER_QUESTION_PEAK_HELD_H
#define HEAPLINE_VIEWER_QUESTION_PEAK_HELD_H

#include "viewer/history/replay.h"
#include "viewer/question/peak.h"

/* Is it the process's own peak, of which the counters' rows tell? */
bool peak_is_own(const struct process *process, const struct peak_position *position,
                 bool is_touched);

/* Does the process hold anything there, or, with `inherited`, might it? */
bool peak_holds_anything(const struct peak_position *position, bool inherited);

/* By counter, in an array that the caller frees; NULL where it is the process's own peak. Without
 * history it is what was held at the end of the last slice before. False, with a problem in the
 * recording, when that cannot be read. */
bool peak_held(struct recording *recording, size_t process, const struct peak_position *position,
               bool inherited, struct held **held);

/* The same of what was touched; without what is inherited. */
bool peak_held_touched(struct recording *recording, size_t process,
                       const struct peak_position *position, struct held **held);

#endif
