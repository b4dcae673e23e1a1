/*
 * A program that gives up system calls: seccomp's strict mode, a filter, system calls that are
 * dispatched to the program itself, and the processor's counter without which there is a clock only
 * by a system call. From then on the shim makes none: nothing is woken or waited for, nothing
 * mapped, no child attaches, no line goes to stderr, and what has no room is dropped and counted.
 * What programs do is seen where they come by libc's prctl() and syscall(), as libseccomp does; not
 * with an instruction of their own.
 *
 * A filter holds for one thread and its children, or for all; here it counts for all.
 */
#ifndef HEAPLINE_PRELOAD_SEALING_H
#define HEAPLINE_PRELOAD_SEALING_H

#include <stdbool.h>

/* The process has attached. */
void sealing_begin(void);

/* Is it this one that has attached, and no vfork child of it? False where that cannot be asked any
 * more. */
bool sealing_is_own_process(void);

/* The body of the hook of prctl() (SHIM_HOOK()). */
int prctl_hook(int option, ...);

#endif
