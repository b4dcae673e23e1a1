/*
 * The file grows while the program runs, so what has come to it is read when an address is not in
 * what was read. Memory for code is used again: of two lines for an address the later one holds.
 * Nothing in the file is trusted to be more than text.
 */
#include "collector/native/perf_map.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "collector/base/text.h"
#include "collector/system/root_file.h"

#define MAP_BYTES_MAX  ((size_t)16 << 20)
#define NAME_MAX_BYTES 1000

static void read_rest(struct perf_map *map, int file, size_t bytes)
{
    char *text = realloc(map->text, bytes + 1);
    if (!text)
        return;
    ssize_t more = pread(file, text + map->bytes, bytes - map->bytes, (off_t)map->bytes);
    map->text = text;
    map->bytes += more > 0 ? (size_t)more : 0;
    text[map->bytes] = 0;
}

void perf_map_read(struct perf_map *map, int root, pid_t pid)
{
    char path[64];
    struct stat status;
    snprintf(path, sizeof path, "/tmp/perf-%d.map", (int)pid);
    int file = root_file_open(root, path, &status);
    if (file < 0)
        return;
    if ((size_t)status.st_size < map->bytes)
        perf_map_deinit(map);
    if ((size_t)status.st_size > map->bytes && (size_t)status.st_size <= MAP_BYTES_MAX)
        read_rest(map, file, (size_t)status.st_size);
    close(file);
}

void perf_map_deinit(struct perf_map *map)
{
    free(map->text);
    *map = (struct perf_map){0};
}

/* The name in a line whose code has the address; null: it has not. */
static const char *name_in(const char *line, uint64_t address)
{
    char *end;
    uint64_t start = strtoull(line, &end, 16);
    if (end == line || *end != ' ')
        return NULL;
    const char *second = end;
    uint64_t size = strtoull(second, &end, 16);
    return end != second && *end == ' ' && address - start < size ? end + 1 : NULL;
}

char *perf_map_find(const struct perf_map *map, uint64_t address)
{
    const char *found = NULL;
    for (const char *line = map->text, *next; line && *line; line = next) {
        const char *name = name_in(line, address), *end = strchr(line, '\n');
        if (!end) /* a line that is being written */
            break;
        found = name && name < end ? name : found;
        next = end + 1;
    }
    if (!found)
        return NULL;
    char name[NAME_MAX_BYTES + 1];
    size_t length = strcspn(found, "\n");
    snprintf(name, sizeof name, "%.*s", (int)(length < NAME_MAX_BYTES ? length : NAME_MAX_BYTES),
             found);
    return text_from_bytes(name);
}
