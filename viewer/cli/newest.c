/*
 * Looks through the current folder for the recording that was changed last.
 */
#include "viewer/cli/newest.h"

#include <dirent.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "viewer/base/memory.h"

#define RECORDING_SUFFIX ".heapline"

static bool is_recording(const char *name, struct stat *status)
{
    size_t length = strlen(name), suffix = strlen(RECORDING_SUFFIX);
    return length > suffix && !strcmp(name + length - suffix, RECORDING_SUFFIX) &&
           stat(name, status) == 0 && S_ISREG(status->st_mode);
}

static bool is_newer(const struct stat *one, const char *name, const struct stat *other,
                     const char *other_name)
{
    if (one->st_mtim.tv_sec != other->st_mtim.tv_sec)
        return one->st_mtim.tv_sec > other->st_mtim.tv_sec;
    if (one->st_mtim.tv_nsec != other->st_mtim.tv_nsec)
        return one->st_mtim.tv_nsec > other->st_mtim.tv_nsec;
    return strcmp(name, other_name) > 0;
}

char *newest_recording(void)
{
    DIR *folder = opendir(".");
    if (!folder)
        return NULL;
    char *newest = NULL;
    struct stat newest_status = {0}, status;
    for (const struct dirent *entry; (entry = readdir(folder));) {
        if (!is_recording(entry->d_name, &status) ||
            (newest && !is_newer(&status, entry->d_name, &newest_status, newest)))
            continue;
        free(newest);
        newest = memory_copy(entry->d_name);
        newest_status = status;
    }
    closedir(folder);
    return newest;
}
