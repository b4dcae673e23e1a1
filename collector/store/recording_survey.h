/*
 * Writing what a process's resident memory was made of.
 */
#ifndef HEAPLINE_COLLECTOR_RECORDING_SURVEY_H
#define HEAPLINE_COLLECTOR_RECORDING_SURVEY_H

#include <stdbool.h>

#include "collector/store/recording_database.h"
#include "collector/stream/process.h"

/* Writes the surveys that have not been written, in the place of older ones of the same moment.
 * False: the database says why. */
bool recording_survey_write(struct recording_database *database, struct process *process);

#endif
