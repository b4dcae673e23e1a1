/*
 * How many processes of a cgroup the kernel's OOM killer has killed. One thread.
 */
#ifndef HEAPLINE_COLLECTOR_OOM_KILLS_H
#define HEAPLINE_COLLECTOR_OOM_KILLS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* The file in which the kernel counts for the cgroup that the process's memory is charged to. To be
 * freed; null when it cannot be known. */
char *oom_kills_file(pid_t pid);

/* The count by now. False, and 0, when `file` is null or cannot be read. */
bool oom_kills_read(const char *file, uint64_t *count);

#endif
