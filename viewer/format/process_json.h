/*
 * The run and its processes in JSON.
 */
#ifndef HEAPLINE_VIEWER_FORMAT_PROCESS_JSON_H
#define HEAPLINE_VIEWER_FORMAT_PROCESS_JSON_H

#include <jansson.h>

#include "viewer/question/answer.h"
#include "viewer/recording/recording.h"

/* Keys in the order of the manual page; what is not known is null. The caller's. */
json_t *process_to_json(const struct recording *recording, const struct process *process);

/* Sets what the processes come to, but for their peak. */
void totals_put_json(json_t *object, const struct totals *totals);

/* What is known of the run. */
json_t *run_to_json(const struct recording *recording);

#endif
