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

/* One of the two kinds of hierarchy, and where it is mounted: that is looked for once. */
struct hierarchy {
    const char *const controllers; /* in /proc/PID/cgroup, "ID:controllers:path" */
    const char *const type;        /* of the mounted file system */
    const char *const option;      /* that it was mounted with */
    const char *const counter;     /* name of the file */
    bool is_looked_for;
    char *root, *point; /* null: not mounted */
};
static struct hierarchy version_1 = {
    .controllers = "memory", .type = "cgroup", .option = "memory", .counter = "memory.oom_control"};
static struct hierarchy version_2 = {
    .controllers = "", .type = "cgroup2", .option = "", .counter = "memory.events.local"};

/* Is `word` one of those in `list`, separated by commas? */
static bool has_word(const char *list, const char *word)
{
    size_t length = strlen(word);
    for (const char *at = list; at; at = (at = strchr(at, ',')) ? at + 1 : NULL)
        if (strncmp(at, word, length) == 0 && (!at[length] || at[length] == ','))
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
    _Static_assert(PATH_MAX == 4096, "the widths below");
    return behind && sscanf(line, "%*s %*s %*s %4095s %4095s", root, point) == 2 &&
           sscanf(behind, " - %31s %*s %255s", type, options) == 2 &&
           strcmp(type, hierarchy->type) == 0 && has_word(options, hierarchy->option);
}

static bool find_mount(struct hierarchy *hierarchy)
{
    char root[PATH_MAX], point[PATH_MAX], *line = NULL;
    size_t size = 0;
    FILE *mounts = hierarchy->is_looked_for ? NULL : fopen("/proc/self/mountinfo", "re");
    while (mounts && !hierarchy->root && getline(&line, &size, mounts) > 0)
        if (is_mount_of(line, hierarchy, root, point)) {
            hierarchy->root = strdup(root);
            hierarchy->point = strdup(point);
        }
    hierarchy->is_looked_for = true;
    free(line);
    if (mounts)
        fclose(mounts);
    return hierarchy->root && hierarchy->point;
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

static char *find_file(pid_t pid, struct hierarchy *hierarchy)
{
    char path[PATH_MAX];
    if (!find_path(pid, hierarchy, path) || !find_mount(hierarchy))
        return NULL;
    /* What is mounted may be a part of the hierarchy. */
    size_t above = hierarchy->root[1] ? strlen(hierarchy->root) : 0;
    if (strncmp(path, hierarchy->root, above) != 0 || (path[above] && path[above] != '/'))
        return NULL;
    return find_counter(hierarchy->point, path + above, hierarchy->counter);
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
