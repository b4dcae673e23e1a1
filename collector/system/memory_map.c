/*
 * /proc/PID/maps is read from its begin up to the line that is wanted; it can have many thousand.
 * In it a line feed in a name stands as \012, and " (deleted)" behind the name of a file that has
 * none any more. Either may also be part of a file's name: whoever opens the file looks at its
 * inode.
 */
#include "collector/system/memory_map.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "collector/system/proc.h"

#define DELETED     " (deleted)"
#define LINE_FEED   "\\012"
#define MAPS_BYTES  8192 /* more than the longest line */
#define PERMISSIONS 5    /* "rwxp " */

/* Reads a number and what must stand behind it. */
static bool parse_number(const char **at, int base, char behind, uint64_t *number)
{
    char *end;
    *number = strtoull(*at, &end, base);
    bool good = end > *at && *end == behind;
    *at = end + good;
    return good;
}

/* START-END PERMISSIONS OFFSET MAJOR:MINOR INODE PATH; reads all but the path, which begins at
 * *path. */
static bool parse_line(const char *line, struct memory_mapping *mapping, const char **path)
{
    uint64_t major, minor;
    const char *at = line, *permissions;
    if (!parse_number(&at, 16, '-', &mapping->start) ||
        !parse_number(&at, 16, ' ', &mapping->end) || mapping->start >= mapping->end)
        return false;
    permissions = at;
    if (strlen(permissions) < PERMISSIONS || permissions[PERMISSIONS - 1] != ' ')
        return false;
    at += PERMISSIONS;
    if (!parse_number(&at, 16, ' ', &mapping->offset) || !parse_number(&at, 16, ':', &major) ||
        !parse_number(&at, 16, ' ', &minor) || !parse_number(&at, 10, ' ', &mapping->inode))
        return false;
    *path = at + strspn(at, " ");
    mapping->is_accessible = memcmp(permissions, "---", 3) != 0;
    mapping->is_executable = permissions[2] == 'x';
    mapping->is_deleted = false;
    mapping->path[0] = 0;
    return true;
}

static void set_path(struct memory_mapping *mapping, const char *path)
{
    size_t length = strlen(path), ending = strlen(DELETED);
    if (length >= sizeof mapping->path)
        return;
    mapping->is_deleted = length > ending && strcmp(path + length - ending, DELETED) == 0;
    memcpy(mapping->path, path, length + 1);
    if (mapping->is_deleted)
        mapping->path[length - ending] = 0;
    for (char *at = mapping->path; (at = strstr(at, LINE_FEED)); at++) {
        *at = '\n';
        memmove(at + 1, at + strlen(LINE_FEED), strlen(at + strlen(LINE_FEED)) + 1);
    }
}

/* Who is told of each line. */
struct listener {
    bool (*each)(void *context, const struct memory_mapping *mapping);
    void *context;
    struct memory_mapping mapping;
    bool is_content; /* has it returned false? */
};

/* Tells the whole lines of text[0..bytes). Returns where the rest begins. */
static size_t tell_lines(char *text, size_t bytes, struct listener *listener)
{
    size_t at = 0;
    const char *path;
    for (char *end; !listener->is_content && (end = memchr(text + at, '\n', bytes - at));
         at = (size_t)(end - text) + 1) {
        *end = 0;
        if (!parse_line(text + at, &listener->mapping, &path))
            continue;
        set_path(&listener->mapping, path);
        listener->is_content = !listener->each(listener->context, &listener->mapping);
    }
    return at;
}

bool memory_map_each(pid_t pid, bool (*each)(void *context, const struct memory_mapping *mapping),
                     void *context)
{
    struct listener listener = {.each = each, .context = context};
    char text[MAPS_BYTES];
    size_t have = 0;
    ssize_t got = 0;
    int file = pid ? proc_open(pid, "maps") : -1;
    while (file >= 0 && !listener.is_content &&
           (got = read(file, text + have, sizeof text - have)) > 0) {
        have += (size_t)got;
        size_t taken = tell_lines(text, have, &listener);
        have -= taken;
        memmove(text, text + taken, have);
        if (have == sizeof text)
            have = 0;
    }
    if (file >= 0)
        close(file);
    return file >= 0 && got == 0 && !listener.is_content;
}

struct search {
    uint64_t address;
    struct memory_mapping *mapping;
    bool is_found;
};

static bool look_at_mapping(void *context, const struct memory_mapping *mapping)
{
    struct search *search = context;
    search->is_found = search->address >= mapping->start && search->address < mapping->end;
    if (search->is_found)
        *search->mapping = *mapping;
    return !search->is_found;
}

bool memory_map_find(pid_t pid, uint64_t address, struct memory_mapping *mapping)
{
    struct search search = {address, mapping, false};
    memory_map_each(pid, look_at_mapping, &search);
    return search.is_found;
}
