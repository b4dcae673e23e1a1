/*
 * What heapline doctor looks at, part by part. Each part adds its findings.
 */
#ifndef HEAPLINE_VIEWER_DOCTOR_DOCTOR_H
#define HEAPLINE_VIEWER_DOCTOR_DOCTOR_H

#include <stdbool.h>

#include "viewer/doctor/findings.h"

/* The machine and the container: heapline's own files, the kernel, /proc, what native stacks need.
 */
void doctor_examine_machine(struct findings *findings);

/* What the environment says that changes how a program allocates, or where it is recorded. */
void doctor_examine_environment(struct findings *findings);

/* The Python that `command` (NULL-terminated) starts. False when there is none, so that a trial
 * would tell nothing. */
bool doctor_examine_python(struct findings *findings, char *const *command);

/* Records a small program with that Python and looks at the recording. */
void doctor_try(struct findings *findings, char *const *command);

#endif
