/*
 * Beginning to record: the process attaches, then the gate opens. At the arrival of CPython, and
 * anew in the child of a fork. One thread.
 */
#ifndef HEAPLINE_PRELOAD_RECORDING_H
#define HEAPLINE_PRELOAD_RECORDING_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Attaches; `parent` and `token` are those of a forked child's hello (fork.h), otherwise 0. False:
 * the process stays untraced, and so does what it executes. */
bool recording_attach(pid_t parent, uint32_t token);

/* From now on hooks record; the first words say which CPython this is. */
void recording_begin(void);

#endif
