/*
 * A process as a JSON object.
 */
#ifndef HEAPLINE_VIEWER_FORMAT_PROCESS_JSON_H
#define HEAPLINE_VIEWER_FORMAT_PROCESS_JSON_H

#include <jansson.h>

#include "viewer/recording/recording.h"

/* Keys in the order of the manual page; what is not known is null. The caller's. */
json_t *process_to_json(const struct recording *recording, const struct process *process);

/* What is known of the run. */
json_t *run_to_json(const struct recording *recording);

#endif
