/*
 * What of a recording's memory was touched. Recordings before format 6 do not know.
 */
#ifndef HEAPLINE_VIEWER_RECORDING_TOUCHED_H
#define HEAPLINE_VIEWER_RECORDING_TOUCHED_H

#include "viewer/recording/recording.h"

/* Fills in process.touched, process.at_run_touched and recording.touched. False, with a problem in
 * the recording, when that is damaged. */
bool touched_load(struct recording *recording);

/* Had the process touched all that it held at its peak, which is the peak of that? Then its
 * counters' rows say what it was. */
bool touched_is_peak(const struct process *process);

/* What each counter had touched at the process's own peak of that; by counter, in an array that the
 * caller frees, also after a failure. */
bool touched_read(struct recording *recording, size_t process, struct held **held);

/* Takes away what each counter had untouched where the process stood at the run's peak. */
bool touched_take_away(struct recording *recording, size_t process, struct held *held);

#endif
