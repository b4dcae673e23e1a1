/*
 * The functions that execute programs: what is executed gets the shim's variables (environment.h).
 * These are the bodies of their hooks (SHIM_HOOK()), also for a vfork child.
 */
#ifndef HEAPLINE_PRELOAD_EXEC_HOOKS_H
#define HEAPLINE_PRELOAD_EXEC_HOOKS_H

#include <spawn.h>
#include <sys/types.h>

int execve_hook(const char *path, char *const arguments[], char *const environment[]);
int execv_hook(const char *path, char *const arguments[]);
int execvpe_hook(const char *file, char *const arguments[], char *const environment[]);
int execvp_hook(const char *file, char *const arguments[]);
int fexecve_hook(int descriptor, char *const arguments[], char *const environment[]);
int execveat_hook(int descriptor, const char *path, char *const arguments[],
                  char *const environment[], int flags);
int execl_hook(const char *path, const char *first, ...);
int execlp_hook(const char *file, const char *first, ...);
int execle_hook(const char *path, const char *first, ...);

int posix_spawn_hook(pid_t *pid, const char *path, const posix_spawn_file_actions_t *actions,
                     const posix_spawnattr_t *attributes, char *const arguments[],
                     char *const environment[]);
int posix_spawnp_hook(pid_t *pid, const char *file, const posix_spawn_file_actions_t *actions,
                      const posix_spawnattr_t *attributes, char *const arguments[],
                      char *const environment[]);
int pidfd_spawn_hook(int *pidfd, const char *path, const posix_spawn_file_actions_t *actions,
                     const posix_spawnattr_t *attributes, char *const arguments[],
                     char *const environment[]);
int pidfd_spawnp_hook(int *pidfd, const char *file, const posix_spawn_file_actions_t *actions,
                      const posix_spawnattr_t *attributes, char *const arguments[],
                      char *const environment[]);

#endif
