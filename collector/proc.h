/*
 * What the kernel says of a process from outside.
 */
#ifndef HEAPLINE_COLLECTOR_PROC_H
#define HEAPLINE_COLLECTOR_PROC_H

#include <stddef.h>
#include <sys/types.h>

/* Opens /proc/PID/NAME for reading; -1 when it cannot. */
int proc_open(pid_t pid, const char *name);

/* Reads /proc/PID/NAME, at most size - 1 bytes, and puts a NUL behind them. Returns how many; 0
 * when it cannot be read. */
size_t proc_read(pid_t pid, const char *name, char *data, size_t size);

#endif
