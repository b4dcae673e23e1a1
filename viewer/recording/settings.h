/*
 * The environment variables that a recording knows of: those that change how a process uses memory
 * (collector/peer/settings.h).
 */
#ifndef HEAPLINE_VIEWER_RECORDING_SETTINGS_H
#define HEAPLINE_VIEWER_RECORDING_SETTINGS_H

#include <jansson.h>

#include "viewer/recording/recording.h"

/* By process of the recording: an object of names and values, NULL where there are none. Recordings
 * of older versions have none at all. False, with a problem in the recording, when they are
 * damaged. Needs settings_deinit() in either case. */
bool settings_init(json_t ***settings, struct recording *recording);
void settings_deinit(json_t **settings, const struct recording *recording);

#endif
