/*
 * The functions behind the hooks: whatever the dynamic linker finds next after the shim. One list
 * says what they are; a member of `real` is called as its function is.
 *
 * All are looked up at start. Libraries call hooks in constructors that run before the shim's, so a
 * hook takes its function by REAL(), which looks up the one that is missing, or does without it.
 */
#ifndef HEAPLINE_PRELOAD_REAL_FUNCTIONS_H
#define HEAPLINE_PRELOAD_REAL_FUNCTIONS_H

#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>
#include <sys/wait.h>

#include "preload/base/shim.h"

struct rusage;

/* FUNCTION(result, name, parameters). malloc comes last: once that is known, all are. */
#define REAL_ALLOCATOR(FUNCTION)                                                                   \
    FUNCTION(void *, calloc, (size_t, size_t))                                                     \
    FUNCTION(void *, realloc, (void *, size_t))                                                    \
    FUNCTION(void, free, (void *))                                                                 \
    FUNCTION(int, posix_memalign, (void **, size_t, size_t))                                       \
    FUNCTION(void *, aligned_alloc, (size_t, size_t))                                              \
    FUNCTION(void *, memalign, (size_t, size_t))                                                   \
    FUNCTION(void *, valloc, (size_t))                                                             \
    FUNCTION(void *, pvalloc, (size_t))                                                            \
    FUNCTION(void *, malloc, (size_t))

#define REAL_SPAWN_PARAMETERS                                                                      \
    (pid_t *, const char *, const posix_spawn_file_actions_t *, const posix_spawnattr_t *,         \
     char *const[], char *const[])

/* Null where the C library is older: _Fork before 2.34, pidfd_spawn and pidfd_spawnp before 2.39.
 */
#define REAL_OTHERS(FUNCTION)                                                                      \
    FUNCTION(void *, mmap, (void *, size_t, int, int, int, off_t))                                 \
    FUNCTION(int, munmap, (void *, size_t))                                                        \
    FUNCTION(void *, mremap, (void *, size_t, size_t, int, ...))                                   \
    FUNCTION(int, mprotect, (void *, size_t, int))                                                 \
    FUNCTION(int, madvise, (void *, size_t, int))                                                  \
    FUNCTION(int, brk, (void *))                                                                   \
    FUNCTION(void *, sbrk, (intptr_t))                                                             \
    FUNCTION(int, dlclose, (void *))                                                               \
    FUNCTION(int, execve, (const char *, char *const[], char *const[]))                            \
    FUNCTION(int, execvpe, (const char *, char *const[], char *const[]))                           \
    FUNCTION(int, fexecve, (int, char *const[], char *const[]))                                    \
    FUNCTION(int, execveat, (int, const char *, char *const[], char *const[], int))                \
    FUNCTION(int, posix_spawn, REAL_SPAWN_PARAMETERS)                                              \
    FUNCTION(int, posix_spawnp, REAL_SPAWN_PARAMETERS)                                             \
    FUNCTION(int, pidfd_spawn, REAL_SPAWN_PARAMETERS)                                              \
    FUNCTION(int, pidfd_spawnp, REAL_SPAWN_PARAMETERS)                                             \
    FUNCTION(pid_t, fork, (void))                                                                  \
    FUNCTION(pid_t, _Fork, (void))                                                                 \
    FUNCTION(pid_t, wait, (int *))                                                                 \
    FUNCTION(pid_t, waitpid, (pid_t, int *, int))                                                  \
    FUNCTION(pid_t, wait3, (int *, int, struct rusage *))                                          \
    FUNCTION(pid_t, wait4, (pid_t, int *, int, struct rusage *))                                   \
    FUNCTION(int, waitid, (idtype_t, id_t, siginfo_t *, int))                                      \
    FUNCTION(FILE *, popen, (const char *, const char *))                                          \
    FUNCTION(int, pclose, (FILE *))                                                                \
    FUNCTION(int, fclose, (FILE *))                                                                \
    FUNCTION(int, system, (const char *))                                                          \
    FUNCTION(void, _exit, (int))                                                                   \
    FUNCTION(void, quick_exit, (int))                                                              \
    FUNCTION(void, abort, (void))

#define REAL_MEMBER(result, name, parameters) result(*name) parameters;
struct real_functions {
    REAL_ALLOCATOR(REAL_MEMBER)
    REAL_OTHERS(REAL_MEMBER)
};
#undef REAL_MEMBER
extern struct real_functions real;

/* Looks up the allocator. Any number of times, in one thread. False while a look-up is under way on
 * this very call path (dlsym allocates) or when there is no allocator to be found: use the pool
 * (pool.h). */
bool real_functions_find_allocator(void);

/* Looks up all others. Once, at start, when the allocator is known. */
void real_functions_find_others(void);

/* Looks up one before start, into the pointer `function`. False: there is none; afterwards always,
 * for what there is is known.
 */
bool real_function_find(void *function, const char *name);

/* The function, null where there is none. */
#define REAL(name)                                                                                 \
    ((void)(SHIM_LIKELY(real.name != NULL) || real_function_find(&real.name, #name)), real.name)

#endif
