/*
 * Finding a process's memory cgroup and its counter.
 *
 * In the unified hierarchy (version 2) that is oom_kill in memory.events.local of the nearest
 * cgroup above the process that has the memory controller; in a memory hierarchy of its own
 * (version 1) oom_kill in memory.oom_control. Both count what was killed in this very cgroup,
 * whoever's limit it was. Paths in /proc/PID/cgroup and the roots in mountinfo are both as our own
 * cgroup namespace has them. Where anything is unusual the answer is that nothing is known.
 */
#include "oom_kills.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "proc.h"

/* One of the two kinds of hierarchy. */
struct hierarchy {
    const char *controllers; /* in /proc/PID/cgroup, "ID:controllers:path" */
    const char *type;        /* of the mounted file system */
    const char *option;      /* that it was mounted with */
    const char *counter;     /* name of the file */
};
static const struct hierarchy version_1 = {"memory", "cgroup", "memory", "memory.oom_control"};
static const struct hierarchy version_2 = {"", "cgroup2", "", "memory.events.local"};

/* Is `word` one of those in `list`, separated by commas? */
static bool has_word(const char *list, const char *word)
{
    size_t length = strlen(word);
    for (; *list;
         list += list[strcspn(list, ",")] == ',' ? strcspn(list, ",") + 1 : strcspn(list, ","))
        if (strcspn(list, ",") == length && strncmp(list, word, length) == 0)
            return true;
    return length == 0;
}

/* The process's path in the hierarchy, without a slash at its end. */
static bool find_path(pid_t pid, const struct hierarchy *hierarchy, char path[PATH_MAX])
{
    char text[4 * PATH_MAX], *rest;
    proc_read(pid, "cgroup", text, sizeof text);
    for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        char *controllers = strchr(line, ':'), *at;
        if (!controllers || !(at = strchr(++controllers, ':')))
            continue;
        *at++ = 0;
        bool same = *hierarchy->controllers ? has_word(controllers, hierarchy->controllers)
                                            : *controllers == 0;
        if (same && *at == '/' && strlen(at) < PATH_MAX) {
            strcpy(path, at[1] ? at : "");
            return true;
        }
    }
    return false;
}

/* "36 35 98:0 ROOT POINT options - TYPE source OPTIONS": fills in the two paths when the line is
 * the hierarchy's mount. Mount points with blanks in them are not looked for. */
static bool is_mount_of(const char *line, const struct hierarchy *hierarchy, char root[PATH_MAX],
                        char point[PATH_MAX])
{
    char type[32], options[256];
    const char *behind = strstr(line, " - ");
    return behind && strlen(line) < PATH_MAX &&
           sscanf(line, "%*s %*s %*s %s %s", root, point) == 2 &&
           sscanf(behind, " - %31s %*s %255s", type, options) == 2 &&
           strcmp(type, hierarchy->type) == 0 && has_word(options, hierarchy->option);
}

static bool find_mount(const struct hierarchy *hierarchy, char root[PATH_MAX], char point[PATH_MAX])
{
    FILE *mounts = fopen("/proc/self/mountinfo", "re");
    char *line = NULL;
    size_t size = 0;
    bool found = false;
    while (mounts && !found && getline(&line, &size, mounts) > 0)
        found = is_mount_of(line, hierarchy, root, point);
    free(line);
    if (mounts)
        fclose(mounts);
    return found;
}

/* The counter of the cgroup `path` or of the nearest one above it that has one. */
static char *find_counter(const char *point, char *path, const char *counter)
{
    char file[2 * PATH_MAX + 64];
    for (;;) {
        snprintf(file, sizeof file, "%s%s/%s", point, path, counter);
        if (access(file, R_OK) == 0)
            return strdup(file);
        char *last = strrchr(path, '/');
        if (!last)
            return NULL;
        *last = 0;
    }
}

static char *find_file(pid_t pid, const struct hierarchy *hierarchy)
{
    char path[PATH_MAX], root[PATH_MAX], point[PATH_MAX];
    if (!find_path(pid, hierarchy, path) || !find_mount(hierarchy, root, point))
        return NULL;
    /* What is mounted may be a part of the hierarchy. */
    size_t above = root[1] ? strlen(root) : 0;
    if (strncmp(path, root, above) != 0 || (path[above] && path[above] != '/'))
        return NULL;
    return find_counter(point, path + above, hierarchy->counter);
}

char *oom_kills_file(pid_t pid)
{
    char *file = find_file(pid, &version_1);
    return file ? file : find_file(pid, &version_2);
}

bool oom_kills_read(const char *file, uint64_t *count)
{
    char name[32];
    unsigned long long number;
    bool found = false;
    *count = 0;
    FILE *stream = file ? fopen(file, "re") : NULL;
    while (stream && !found && fscanf(stream, "%31s %llu", name, &number) == 2)
        found = strcmp(name, "oom_kill") == 0;
    if (stream)
        fclose(stream);
    if (found)
        *count = number;
    return found;
}
