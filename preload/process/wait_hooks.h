/*
 * The functions that wait for children: the collector is told how a child has ended. These are the
 * bodies of their hooks (SHIM_HOOK()).
 */
#ifndef HEAPLINE_PRELOAD_WAIT_HOOKS_H
#define HEAPLINE_PRELOAD_WAIT_HOOKS_H

#include <sys/types.h>
#include <sys/wait.h>

struct rusage;

pid_t wait_hook(int *status);
pid_t waitpid_hook(pid_t which, int *status, int options);
pid_t wait3_hook(int *status, int options, struct rusage *usage);
pid_t wait4_hook(pid_t which, int *status, int options, struct rusage *usage);
int waitid_hook(idtype_t kind, id_t which, siginfo_t *found, int options);

#endif
