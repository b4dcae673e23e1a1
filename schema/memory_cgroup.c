/*
 * Finding a process's memory cgroup, its counter and its limits.
 *
 * In the unified hierarchy (version 2) the counter is oom_kill in memory.events.local of the
 * nearest cgroup above the process that has the memory controller; in a memory hierarchy of its own
 * (version 1) oom_kill in memory.oom_control. Both count what was killed in this very cgroup,
 * whoever's limit it was. Limits hold at every level, so the smallest one counts.
 *
 * All are killed together where memory.oom.group says so, at whatever level, as container managers
 * set it; and in a unit of systemd's that is a service, which systemd ends when one of its
 * processes is killed (OOMPolicy=stop, its default). Version 1 has neither.
 *
 * Paths in /proc/PID/cgroup and the roots in mountinfo are both as our own cgroup namespace has
 * them. Where anything is unusual the answer is that nothing is known.
 */
#include "memory_cgroup.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* One of the two kinds of hierarchy, and where it is mounted: that is looked for once. */
struct hierarchy {
    const char *const controllers; /* in /proc/PID/cgroup, "ID:controllers:path" */
    const char *const type;        /* of the mounted file system */
    const char *const option;      /* that it was mounted with */
    const char *const counter;     /* name of the file */
    const enum cgroup_version version;
    bool is_looked_for;
    char *root, *point; /* null: not mounted */
};
static struct hierarchy version_1 = {.controllers = "memory",
                                     .type = "cgroup",
                                     .option = "memory",
                                     .counter = "memory.oom_control",
                                     .version = CGROUP_VERSION_1};
static struct hierarchy version_2 = {.controllers = "",
                                     .type = "cgroup2",
                                     .option = "",
                                     .counter = "memory.events.local",
                                     .version = CGROUP_VERSION_2};

/* Is `word` one of those in `list`, separated by commas? */
static bool has_word(const char *list, const char *word)
{
    size_t length = strlen(word);
    for (const char *at = list; at; at = (at = strchr(at, ',')) ? at + 1 : NULL)
        if (strncmp(at, word, length) == 0 && (!at[length] || at[length] == ','))
            return true;
    return length == 0;
}

/* "ID:controllers:PATH": fills in the path, without a slash at its end, when the line is the
 * hierarchy's. */
static bool is_path_in(char *line, const struct hierarchy *hierarchy, char path[PATH_MAX])
{
    char *controllers = strchr(line, ':'), *at;
    if (!controllers || !(at = strchr(++controllers, ':')))
        return false;
    *at++ = 0;
    at[strcspn(at, "\n")] = 0;
    bool same =
        *hierarchy->controllers ? has_word(controllers, hierarchy->controllers) : *controllers == 0;
    if (!same || *at != '/' || strlen(at) >= PATH_MAX)
        return false;
    strcpy(path, at[1] ? at : "");
    return true;
}

static bool find_path(pid_t pid, const struct hierarchy *hierarchy, char path[PATH_MAX])
{
    char file[64], *line = NULL;
    size_t size = 0;
    bool found = false;
    snprintf(file, sizeof file, "/proc/%d/cgroup", (int)pid);
    FILE *lines = fopen(file, "re");
    while (lines && !found && getline(&line, &size, lines) > 0)
        found = is_path_in(line, hierarchy, path);
    free(line);
    if (lines)
        fclose(lines);
    return found;
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

/* Where the process is in the hierarchy, below its mount: null when it is not seen there. */
static char *find_place(pid_t pid, struct hierarchy *hierarchy, char path[PATH_MAX])
{
    if (!find_path(pid, hierarchy, path) || !find_mount(hierarchy))
        return NULL;
    /* What is mounted may be a part of the hierarchy. */
    size_t above = hierarchy->root[1] ? strlen(hierarchy->root) : 0;
    if (strncmp(path, hierarchy->root, above) != 0 || (path[above] && path[above] != '/'))
        return NULL;
    return path + above;
}

static char *find_file(pid_t pid, struct hierarchy *hierarchy)
{
    char path[PATH_MAX], *place = find_place(pid, hierarchy, path);
    return place ? find_counter(hierarchy->point, place, hierarchy->counter) : NULL;
}

char *oom_kills_file(pid_t pid)
{
    char *file = find_file(pid, &version_1);
    return file ? file : find_file(pid, &version_2);
}

/* The number behind the name, in a file of such lines. */
static bool read_named(const char *file, const char *wanted, uint64_t *number)
{
    char name[64];
    unsigned long long value;
    bool found = false;
    FILE *stream = file ? fopen(file, "re") : NULL;
    while (stream && !found && fscanf(stream, "%63s %llu", name, &value) == 2)
        found = strcmp(name, wanted) == 0;
    if (stream)
        fclose(stream);
    *number = found ? value : 0;
    return found;
}

bool oom_kills_read(const char *file, uint64_t *count)
{
    return read_named(file, "oom_kill", count);
}

/* --- limits ------------------------------------------------------------------------------------
 */

/* Version 1 has a number of this size where there is no limit. */
#define NO_LIMIT (UINT64_C(1) << 62)

/* False also where the file has a word, as "max". */
static bool read_number(const char *folder, const char *name, uint64_t *number)
{
    char path[2 * PATH_MAX + 64];
    unsigned long long value;
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *stream = fopen(path, "re");
    bool found = stream && fscanf(stream, "%llu", &value) == 1;
    if (stream)
        fclose(stream);
    *number = found ? value : 0;
    return found;
}

static void look_at_level(const char *folder, enum cgroup_version version,
                          struct memory_limit *limit)
{
    uint64_t bytes, together;
    bool is_second = version == CGROUP_VERSION_2;
    if (read_number(folder, is_second ? "memory.max" : "memory.limit_in_bytes", &bytes) &&
        bytes < NO_LIMIT && (!limit->folder || bytes < limit->bytes)) {
        free(limit->folder);
        limit->bytes = bytes;
        limit->folder = strdup(folder);
    }
    limit->kills_together |=
        is_second && read_number(folder, "memory.oom.group", &together) && together;
}

static bool is_service(const char *path)
{
    static const char suffix[] = ".service";
    size_t length = strlen(path);
    return length > strlen(suffix) && strcmp(path + length - strlen(suffix), suffix) == 0;
}

void memory_limit_read(const char *top, const char *path, enum cgroup_version version,
                       struct memory_limit *limit)
{
    char folder[2 * PATH_MAX];
    *limit =
        (struct memory_limit){.kills_together = version == CGROUP_VERSION_2 && is_service(path)};
    int length = snprintf(folder, sizeof folder, "%s%s", top, path);
    if (length < 0 || length >= (int)sizeof folder)
        return;
    for (size_t above = strlen(top);;) {
        look_at_level(folder, version, limit);
        char *last = strrchr(folder + above, '/');
        if (!last)
            return;
        *last = 0;
    }
}

void memory_limit_find(pid_t pid, struct memory_limit *limit)
{
    char path[PATH_MAX], *place;
    *limit = (struct memory_limit){0};
    if ((place = find_place(pid, &version_1, path)))
        memory_limit_read(version_1.point, place, CGROUP_VERSION_1, limit);
    else if ((place = find_place(pid, &version_2, path)))
        memory_limit_read(version_2.point, place, CGROUP_VERSION_2, limit);
}

void memory_limit_deinit(struct memory_limit *limit)
{
    free(limit->folder);
    *limit = (struct memory_limit){0};
}

bool memory_limit_room(const struct memory_limit *limit, uint64_t *bytes)
{
    char file[2 * PATH_MAX + 64];
    uint64_t used, inactive, active;
    if (!limit->folder || !read_number(limit->folder, "memory.current", &used))
        return false;
    *bytes = limit->bytes > used ? limit->bytes - used : 0;
    snprintf(file, sizeof file, "%s/memory.stat", limit->folder);
    if (read_named(file, "inactive_file", &inactive) && read_named(file, "active_file", &active))
        *bytes += inactive + active;
    return true;
}

static bool is_below(pid_t pid, struct hierarchy *hierarchy, const char *folder)
{
    char path[PATH_MAX], whole[2 * PATH_MAX], *place = find_place(pid, hierarchy, path);
    size_t length = strlen(folder);
    if (!place)
        return false;
    snprintf(whole, sizeof whole, "%s%s", hierarchy->point, place);
    return strncmp(whole, folder, length) == 0 && (!whole[length] || whole[length] == '/');
}

bool memory_limit_holds_for(const struct memory_limit *limit, pid_t pid)
{
    return limit->folder &&
           (is_below(pid, &version_1, limit->folder) || is_below(pid, &version_2, limit->folder));
}
