/*
 * A process's environment is looked at as it was when its program began.
 */
#include "collector/system/members.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "collector/system/proc.h"
#include "handshake.h"

#define ENVIRONMENT_BYTES 131072u

static bool is_own(pid_t pid)
{
    struct proc_stat stat;
    return pid == getpid() || (proc_read_stat(pid, &stat) && stat.parent == getpid());
}

static bool has_entry(pid_t pid, const char *entry, char *text)
{
    size_t bytes = proc_read(pid, "environ", text, ENVIRONMENT_BYTES);
    return memmem(text, bytes, entry, strlen(entry) + 1) != NULL;
}

static bool find_entry(DIR *processes, const char *entry, char *text)
{
    for (const struct dirent *at; (at = readdir(processes));) {
        pid_t pid = (pid_t)strtol(at->d_name, NULL, 10);
        if (pid > 0 && has_entry(pid, entry, text) && !is_own(pid))
            return true;
    }
    return false;
}

bool members_are_there(const char *key)
{
    char entry[sizeof ENVIRONMENT_RUN + 1 + HELLO_NAME_MAX];
    char *text = malloc(ENVIRONMENT_BYTES);
    DIR *processes = opendir("/proc");
    snprintf(entry, sizeof entry, ENVIRONMENT_RUN "=%s", key);
    bool found = text && processes && find_entry(processes, entry, text);
    if (processes)
        closedir(processes);
    free(text);
    return found;
}
