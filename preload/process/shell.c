/*
 * What the C library's own functions would do with the command is done for them, in the words of
 * the library that is there: from 2.38 on a command may begin with a dash.
 */
#include "preload/process/shell.h"

#include <gnu/libc-version.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "preload/process/exec_hooks.h"

#define LIBRARY_MAJOR "2."

bool shell_library_is(int minor)
{
    const char *version = gnu_get_libc_version();
    return strncmp(version, LIBRARY_MAJOR, strlen(LIBRARY_MAJOR)) != 0 ||
           atoi(version + strlen(LIBRARY_MAJOR)) >= minor;
}

int shell_spawn(pid_t *pid, const char *command, const posix_spawn_file_actions_t *actions,
                const posix_spawnattr_t *attributes)
{
    char *arguments[] = {(char *)"sh", (char *)"-c", (char *)"--", (char *)(uintptr_t)command,
                         NULL};
    if (!shell_library_is(38)) {
        arguments[2] = arguments[3];
        arguments[3] = NULL;
    }
    /* Our own, which puts the variables in. */
    return posix_spawn_hook(pid, "/bin/sh", actions, attributes, arguments, environ);
}
