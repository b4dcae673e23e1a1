/*
 * What the kernel says of a process from outside.
 */
#ifndef HEAPLINE_COLLECTOR_PROC_H
#define HEAPLINE_COLLECTOR_PROC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Opens /proc/PID/NAME for reading; -1 when it cannot. */
int proc_open(pid_t pid, const char *name);

/* Reads /proc/PID/NAME, at most size - 1 bytes, and puts a NUL behind them. Returns how many; 0
 * when it cannot be read. */
size_t proc_read(pid_t pid, const char *name, char *data, size_t size);

/* Of /proc/PID/stat (proc_pid_stat(5)). */
struct proc_stat {
    char state;
    pid_t parent;
    unsigned long arguments; /* where they stand in the process's memory: after an exec elsewhere */
    int exit_code;           /* of a zombie: as wait() tells it */
};

/* False when it cannot be read; then *stat is zero. */
bool proc_read_stat(pid_t pid, struct proc_stat *stat);

/* Bytes that are resident (RSS); 0: it cannot be read, or has ended. */
uint64_t proc_resident(pid_t pid);

#endif
