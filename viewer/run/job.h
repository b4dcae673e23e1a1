/*
 * Job control: heapline stops when the command does, so that the shell sees it.
 */
#ifndef HEAPLINE_VIEWER_RUN_JOB_H
#define HEAPLINE_VIEWER_RUN_JOB_H

#include <stdbool.h>
#include <sys/types.h>

/* Stops this process as `command` has been stopped, by the same signal, and returns when it has
 * been continued. Should somebody continue only the command, this process is continued too. */
void job_stop(pid_t command, int stop_signal);

/* Is the process stopped by a signal? False also when there is none. */
bool process_is_stopped(pid_t pid);

/* Does it run, or would it if there were a processor for it? */
bool process_is_running(pid_t pid);

#endif
