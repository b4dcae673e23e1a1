/*
 * Names of code that a program has made while it ran, as its compiler tells them to profilers: in
 * /tmp/perf-PID.map, a line of address, size and name for each function.
 */
#ifndef HEAPLINE_COLLECTOR_PERF_MAP_H
#define HEAPLINE_COLLECTOR_PERF_MAP_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* What has been read of a process's file. Zeroed memory is nothing. */
struct perf_map {
    char *text;
    size_t bytes;
};

/* Reads what has come to the file, as seen from the folder `root` (root_file.h); `pid` is the
 * process's own idea of its number. */
void perf_map_read(struct perf_map *map, int root, pid_t pid);
void perf_map_deinit(struct perf_map *map);

/* The name of what lies at an address, the latest that was told of it. To be freed; null when there
 * is none, or memory is short. */
char *perf_map_find(const struct perf_map *map, uint64_t address);

#endif
