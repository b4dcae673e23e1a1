/*
 * /proc/PID/maps is read from its begin up to the line that is wanted; it can have many thousand.
 * In it a line feed in a name stands as \012, and " (deleted)" behind the name of a file that has
 * none any more. Either may also be part of a file's name: whoever opens the file looks at its
 * inode.
 */
#include "collector/system/memory_map.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "collector/system/proc.h"

#define DELETED    " (deleted)"
#define LINE_FEED  "\\012"
#define MAPS_BYTES 8192 /* more than the longest line */

/* START-END PERMISSIONS OFFSET MAJOR:MINOR INODE PATH; reads the numbers alone, *path is where the
 * path begins. */
static bool parse_line(const char *line, struct memory_mapping *mapping, int *path)
{
    unsigned long long start, end, offset, inode;
    *path = 0;
    if (sscanf(line, "%llx-%llx %*4s %llx %*x:%*x %llu %n", &start, &end, &offset, &inode, path) <
            4 ||
        !*path || start >= end)
        return false;
    *mapping =
        (struct memory_mapping){.start = start, .end = end, .offset = offset, .inode = inode};
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

/* Looks through the whole lines of text[0..bytes). Returns where the rest begins. */
static size_t look_through(char *text, size_t bytes, uint64_t address,
                           struct memory_mapping *mapping, bool *is_found)
{
    size_t at = 0;
    int path;
    for (char *end; !*is_found && (end = memchr(text + at, '\n', bytes - at));
         at = (size_t)(end - text) + 1) {
        *end = 0;
        *is_found = parse_line(text + at, mapping, &path) && address >= mapping->start &&
                    address < mapping->end;
        if (*is_found)
            set_path(mapping, text + at + path);
    }
    return at;
}

bool memory_map_find(pid_t pid, uint64_t address, struct memory_mapping *mapping)
{
    char text[MAPS_BYTES];
    size_t have = 0;
    ssize_t got;
    bool is_found = false;
    int file = pid ? proc_open(pid, "maps") : -1;
    while (file >= 0 && !is_found && (got = read(file, text + have, sizeof text - have)) > 0) {
        have += (size_t)got;
        size_t taken = look_through(text, have, address, mapping, &is_found);
        have -= taken;
        memmove(text, text + taken, have);
        if (have == sizeof text)
            have = 0;
    }
    if (file >= 0)
        close(file);
    return is_found;
}
