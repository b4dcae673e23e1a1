/*
 * What a recording is called when nobody says.
 */
#ifndef HEAPLINE_VIEWER_RUN_NAME_H
#define HEAPLINE_VIEWER_RUN_NAME_H

#include <sys/types.h>

/* NAME.PID.heapline: NAME is the script that a Python interpreter is to run (without .py), the
 * module after -m, else the program. NULL when memory is short; the caller frees it. */
char *name_recording(char *const *command, pid_t pid);

/* NAME alone. */
char *name_program(char *const *command);

#endif
