/*
 * Who is missing from a recording, and why (table absence). The collector says the same in words,
 * in the run's trouble.
 */
#ifndef HEAPLINE_VIEWER_RECORDING_ABSENCES_H
#define HEAPLINE_VIEWER_RECORDING_ABSENCES_H

#include <stdbool.h>

#include "viewer/recording/recording.h"

/* Reads the table, if there is one, into recording->run.absences: an object of counts by reason. */
bool absences_load(struct recording *recording);

#endif
