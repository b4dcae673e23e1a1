/*
 * What memory a process may have together with others, and how many of them the kernel has killed
 * for want of it. One thread.
 */
#ifndef HEAPLINE_SCHEMA_MEMORY_CGROUP_H
#define HEAPLINE_SCHEMA_MEMORY_CGROUP_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* The file in which the kernel counts for the cgroup that the process's memory is charged to. To be
 * freed; null when it cannot be known. */
char *oom_kills_file(pid_t pid);

/* The count by now. False, and 0, when `file` is null or cannot be read. */
bool oom_kills_read(const char *file, uint64_t *count);

enum cgroup_version {
    CGROUP_VERSION_1 = 1,
    CGROUP_VERSION_2 = 2,
};

struct memory_limit {
    uint64_t bytes;      /* the smallest of those that hold for a process; 0: none */
    char *folder;        /* of the cgroup whose limit that is, null: none */
    bool kills_together; /* who is killed for want of memory takes all others with it */
};

/* Those that the process is under; none where that cannot be known. */
void memory_limit_find(pid_t pid, struct memory_limit *limit);

/* The same of the cgroup `path` ("" or "/a/b") in the hierarchy that is mounted at `top`. */
void memory_limit_read(const char *top, const char *path, enum cgroup_version version,
                       struct memory_limit *limit);
void memory_limit_deinit(struct memory_limit *limit);

/* What there is still to be had under a limit of version 2, beside what the kernel can take back
 * from its copies of files. False when it cannot be known. */
bool memory_limit_room(const struct memory_limit *limit, uint64_t *bytes);

/* Is the process under it? */
bool memory_limit_holds_for(const struct memory_limit *limit, pid_t pid);

#endif
