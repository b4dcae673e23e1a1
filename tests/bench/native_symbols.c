/*
 * How long names of native functions take.
 * Usage: native_symbols PID ADDRESSES CACHE [PART_OF_A_PATH]...    (CACHE: a folder, or "-")
 *
 * Addresses are spread evenly over the mapped code of the process's modules whose paths have one of
 * the parts (all without any), ADDRESSES in each module; that is worse than what stacks have in
 * them, which come from a few places. Prints a line of JSON a module, all times in seconds.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "collector/symbols/native_symbols.h"
#include "collector/system/root_file.h"
#include "native_places.h"

struct times {
    double all, longest; /* of all calls, and of the longest */
    unsigned functions, lines, inlined;
};

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void note_call(struct times *times, double begun)
{
    double time = now() - begun;
    times->longest = time > times->longest ? time : times->longest;
}

/* Asks for all places, with looks in between as the collector makes them, then waits. */
static struct times resolve(struct native_symbols *symbols, const struct native_point *places,
                            unsigned count)
{
    struct times times = {0};
    double begun = now();
    for (unsigned i = 0; i < count; i++) {
        double before = now();
        native_symbols_ask(symbols, places[i]);
        native_symbols_work(symbols, 0);
        note_call(&times, before);
    }
    while (native_symbols_work(symbols, -1))
        ;
    times.all = now() - begun;
    for (unsigned i = 0; i < count; i++) {
        const struct native_symbol *symbol = native_symbols_get(symbols, places[i]);
        if (symbol) {
            times.functions += symbol->calls[symbol->count - 1].function != NULL;
            times.lines += symbol->calls[0].line != 0;
            times.inlined += symbol->count - 1;
        }
    }
    return times;
}

static void measure(int pid, struct native_modules *modules, struct native_symbols *symbols,
                    const struct native_mapping *mapping, uint64_t bytes, uint64_t position,
                    unsigned count)
{
    double begun = now();
    uint32_t number = native_modules_add(modules, pid, root_own(), mapping);
    const struct native_module *module = native_modules_get(modules, number);
    double opening = now() - begun;
    struct native_point *places = calloc(count, sizeof *places);
    for (unsigned i = 0; places && module && i < count; i++) {
        uint64_t address = mapping->start + (uint64_t)((double)bytes * (i + 0.5) / count);
        if (native_place_offset(module, mapping->start, position, address, &places[i].offset))
            places[i].module = number;
    }
    if (!places || !module)
        return;
    struct times times = resolve(symbols, places, count);
    printf("{\"module\": \"%s\", \"addresses\": %u, \"opening\": %.6f, \"names\": %.6f, "
           "\"longest_call\": %.6f, \"functions\": %u, \"lines\": %u, \"inlined\": %u}\n",
           module->path, count, opening, times.all, times.longest, times.functions, times.lines,
           times.inlined);
    free(places);
}

static int is_chosen(const char *line, char **parts)
{
    if (!strstr(line, " r-xp ") || !strchr(line, '/'))
        return 0;
    for (char **part = parts; *part; part++)
        if (strstr(line, *part))
            return 1;
    return !*parts;
}

int main(int argc, char **argv)
{
    struct native_modules modules;
    struct native_symbols symbols;
    char path[64], line[8192];
    unsigned long long start, end, offset;
    if (argc < 4) {
        fprintf(stderr, "usage: native_symbols PID ADDRESSES CACHE [PART_OF_A_PATH]...\n");
        return 2;
    }
    snprintf(path, sizeof path, "/proc/%s/maps", argv[1]);
    FILE *maps = fopen(path, "r");
    if (!maps || !native_modules_init(&modules) ||
        !native_symbols_init(&symbols, &modules, strcmp(argv[3], "-") ? argv[3] : NULL, false))
        return 1;
    while (fgets(line, sizeof line, maps)) {
        line[strcspn(line, "\n")] = 0;
        if (!is_chosen(line, argv + 4) ||
            sscanf(line, "%llx-%llx %*4s %llx", &start, &end, &offset) != 3)
            continue;
        const struct native_mapping mapping = {.start = start, .path = strchr(line, '/')};
        measure(atoi(argv[1]), &modules, &symbols, &mapping, end - start, offset,
                (unsigned)atoi(argv[2]));
    }
    fclose(maps);
    native_symbols_deinit(&symbols);
    native_modules_deinit(&modules);
    return 0;
}
