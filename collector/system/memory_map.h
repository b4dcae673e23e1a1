/*
 * What the kernel says is mapped in a process.
 */
#ifndef HEAPLINE_COLLECTOR_MEMORY_MAP_H
#define HEAPLINE_COLLECTOR_MEMORY_MAP_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* A line of /proc/PID/maps. */
struct memory_mapping {
    uint64_t start, end;
    uint64_t offset;    /* in the file */
    uint64_t inode;     /* 0: no file */
    bool is_accessible; /* something may be done with it */
    bool is_executable;
    bool is_deleted; /* the file has no name any more, or another file has it */
    char path[4096]; /* as the file was called last, "" without */
};

/* Finds the mapping of the process that has the address. False: there is none, or the process
 * cannot be read, is a zombie or gone. */
bool memory_map_find(pid_t pid, uint64_t address, struct memory_mapping *mapping);

/* Calls back with each mapping, in order of address, until that returns false. False: it has, or
 * the process cannot be read. What the process maps meanwhile may be missing, or be there in part.
 */
bool memory_map_each(pid_t pid, bool (*each)(void *context, const struct memory_mapping *mapping),
                     void *context);

#endif
