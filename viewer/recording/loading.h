/*
 * Reads a recording into memory.
 */
#ifndef HEAPLINE_VIEWER_RECORDING_LOADING_H
#define HEAPLINE_VIEWER_RECORDING_LOADING_H

#include <stdbool.h>

#include "viewer/recording/recording.h"

/* Reads the file; false when that is not possible, and then recording_problem() says why. What
 * takes long, also later on, is told to `progress`, unless that is NULL. Both must outlive the
 * recording. Needs recording_deinit() in either case. */
bool recording_init(struct recording *recording, const char *path, struct progress *progress);
void recording_deinit(struct recording *recording);

#endif
