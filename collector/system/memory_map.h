/*
 * What the kernel says is mapped at an address of a process.
 */
#ifndef HEAPLINE_COLLECTOR_MEMORY_MAP_H
#define HEAPLINE_COLLECTOR_MEMORY_MAP_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* A line of /proc/PID/maps. */
struct memory_mapping {
    uint64_t start, end;
    uint64_t offset; /* in the file */
    uint64_t inode;  /* 0: no file */
    bool is_deleted; /* the file has no name any more, or another file has it */
    char path[4096]; /* as the file was called last, "" without */
};

/* Finds the mapping of the process that has the address. False: there is none, or the process
 * cannot be read, is a zombie or gone. */
bool memory_map_find(pid_t pid, uint64_t address, struct memory_mapping *mapping);

#endif
