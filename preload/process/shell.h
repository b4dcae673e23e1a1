/*
 * Starting the shell as the C library's system() and popen() do.
 */
#ifndef HEAPLINE_PRELOAD_SHELL_H
#define HEAPLINE_PRELOAD_SHELL_H

#include <spawn.h>
#include <stdbool.h>

/* Starts `sh -c command` with the shim's variables. Returns what posix_spawn() does. */
int shell_spawn(pid_t *pid, const char *command, const posix_spawn_file_actions_t *actions,
                const posix_spawnattr_t *attributes);

/* Is the C library at least as new as 2.`minor`? */
bool shell_library_is(int minor);

#endif
