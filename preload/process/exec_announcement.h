/*
 * A traced process says that it, or a child that it has spawned, becomes a Python: one whose hello
 * never comes is missed then (WIRE_MARK_EXECUTED).
 *
 * What is executed is a Python by its name: python, python3, python3.13t. Scripts and other
 * programs that become one in the end are not looked into, nor programs that this process does not
 * execute itself.
 *
 * One to three words in this process's ring, as a wait's mark (wait_hooks.c): also in a vfork child
 * and in a signal handler. Errno is kept.
 */
#ifndef HEAPLINE_PRELOAD_EXEC_ANNOUNCEMENT_H
#define HEAPLINE_PRELOAD_EXEC_ANNOUNCEMENT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Is this process traced, and does the path or the name of a command say Python? */
bool exec_announcement_is_due(const char *path);

/* Before this process executes it, and when that has failed. */
void exec_announce(void);
void exec_announce_failure(void);

/* The same for any program: what this process holds goes with it (WIRE_MARK_REPLACED). Not
 * in a vfork child, whose memory is its parent's. */
void exec_announce_replacement(void);
void exec_announce_no_replacement(void);

/* For a spawn that has succeeded and began then (ring_monotonic_ns()). */
void exec_announce_child(pid_t pid, uint64_t began_ns);

#endif
