/*
 * The reader of a program's own list of functions against any bytes: in /tmp of a root of its own,
 * first as far as the first byte says, then all of it. The next eight are an address that is asked
 * for besides those that may stand in it.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "collector/native/perf_map.h"
#include "driver.h"
#include "failing.h"

#define PROCESS 77
#define HEAD    (1 + sizeof(uint64_t))

static struct {
    char path[64];
    int root, file;
} fuzz;

static void remove_root(void)
{
    unlinkat(fuzz.root, "tmp/perf-77.map", 0);
    unlinkat(fuzz.root, "tmp", AT_REMOVEDIR);
    rmdir(fuzz.path);
}

static void begin(void)
{
    if (fuzz.path[0])
        return;
    strcpy(fuzz.path, "/tmp/heapline-fuzz-XXXXXX");
    if (!mkdtemp(fuzz.path) || (fuzz.root = open(fuzz.path, O_PATH | O_DIRECTORY)) < 0 ||
        mkdirat(fuzz.root, "tmp", 0755) != 0 ||
        (fuzz.file = openat(fuzz.root, "tmp/perf-77.map", O_CREAT | O_RDWR, 0644)) < 0)
        abort();
    atexit(remove_root);
}

static void write_file(const uint8_t *data, size_t size)
{
    if (ftruncate(fuzz.file, 0) != 0 || pwrite(fuzz.file, data, size, 0) != (ssize_t)size)
        abort();
}

static void ask(const struct perf_map *map, uint64_t address)
{
    char *name = perf_map_find(map, address);
    if (name && strlen(name) > map->bytes * 3) /* a byte that is none of a text is three */
        abort();
    free(name);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct perf_map map = {0};
    uint64_t address;
    if (size < HEAD)
        return 0;
    begin();
    memcpy(&address, data + 1, sizeof address);
    size_t text = size - HEAD, first = text * data[0] / 255;
    failing_begin(data, size);
    for (int part = 0; part < 2; part++) {
        write_file(data + HEAD, part ? text : first);
        perf_map_read(&map, fuzz.root, PROCESS);
        if (map.bytes > text || (map.text && map.text[map.bytes] != 0))
            abort();
        for (uint64_t at = 0; at < 256; at++)
            ask(&map, at << 8);
        ask(&map, address);
    }
    failing_end();
    perf_map_deinit(&map);
    return 0;
}
