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

#include "native_symbols.h"
#include "root_file.h"

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
static struct times resolve(struct native_symbols *symbols, const struct native_place *places,
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

static void measure(struct address_space *space, struct native_modules *modules,
                    struct native_symbols *symbols, uint64_t start, uint64_t end, unsigned count)
{
    struct native_place *places = calloc(count, sizeof *places);
    double begun = now();
    for (unsigned i = 0; places && i < count; i++)
        places[i] = address_space_find(space, modules, start + (end - start) * (i + 0.5) / count,
                                       NATIVE_ADDRESS_INSTRUCTION);
    double places_time = now() - begun;
    if (!places)
        return;
    const struct native_module *module = native_modules_get(modules, places[count / 2].module);
    struct times times = resolve(symbols, places, count);
    printf("{\"module\": \"%s\", \"addresses\": %u, \"places\": %.6f, \"names\": %.6f, "
           "\"longest_call\": %.6f, \"functions\": %u, \"lines\": %u, \"inlined\": %u}\n",
           module ? module->path : "", count, places_time, times.all, times.longest,
           times.functions, times.lines, times.inlined);
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
    struct address_space space;
    struct native_modules modules;
    struct native_symbols symbols;
    char path[64], line[8192];
    unsigned long long start, end;
    if (argc < 4) {
        fprintf(stderr, "usage: native_symbols PID ADDRESSES CACHE [PART_OF_A_PATH]...\n");
        return 2;
    }
    snprintf(path, sizeof path, "/proc/%s/maps", argv[1]);
    FILE *maps = fopen(path, "r");
    if (!maps || !native_modules_init(&modules) ||
        !native_symbols_init(&symbols, &modules, strcmp(argv[3], "-") ? argv[3] : NULL, false))
        return 1;
    address_space_init(&space, atoi(argv[1]), -1, root_own());
    double begun = now();
    address_space_renew(&space, &modules);
    printf("{\"mappings\": %u, \"renew\": %.6f}\n", space.count, now() - begun);
    while (fgets(line, sizeof line, maps))
        if (is_chosen(line, argv + 4) && sscanf(line, "%llx-%llx", &start, &end) == 2)
            measure(&space, &modules, &symbols, start, end, (unsigned)atoi(argv[2]));
    fclose(maps);
    native_symbols_deinit(&symbols);
    address_space_deinit(&space);
    native_modules_deinit(&modules);
    return 0;
}
