/*
 * Names of native addresses: where the address is (the ranges that the process has told of), what
 * is there (native_symbols.h), and a location for every function of the answer.
 *
 * The one who is asked for names is a process of its own and waited for, once for each point: the
 * writers have the ring to go on with meanwhile.
 */
#include "collector/native/native_frames.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "collector/symbols/symbol_cache.h"

#define NO_MODULE  "<native code>"
#define LOOK_UP_MS 1 /* while it waits for a name */
/* To go through so much of a file of names costs as much as a look at another file. */
#define PERF_MAP_LOOK_BYTES (64u << 10)

/* Only where there is a file that may have names. */
static bool start_symbols(struct native_table *table)
{
    if (table->has_symbols)
        return true;
    char *folder = symbol_cache_folder();
    table->has_symbols =
        native_symbols_init(&table->symbols, &table->modules, folder, table->download);
    free(folder);
    return table->has_symbols;
}

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

/* What is at a point; null when memory is short. The programs go on meanwhile. */
static const struct native_symbol *ask_symbol(struct stacks *stacks, struct native_point point)
{
    struct native_symbols *symbols = &stacks->native.symbols;
    const struct native_symbol *symbol;
    bool more = native_symbols_ask(symbols, point);
    while (!(symbol = native_symbols_get(symbols, point)) && more) {
        more = native_symbols_work(symbols, LOOK_UP_MS);
        if (stacks->while_waiting)
            stacks->while_waiting(stacks->waiting_context);
    }
    return symbol ? symbol : native_symbols_get(symbols, point);
}

/* libc's and the python program's own frames are the outermost ones of every stack. */
static bool starts_threads(const char *path)
{
    static const char *const files[] = {"libc.so", "libpthread", "ld-linux", "python"};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        if (strncmp(base_name(path), files[i], strlen(files[i])) == 0)
            return true;
    return false;
}

/* A point without a name: in its module, or the address itself. */
static void name_point(char *name, size_t size, const char *path, struct native_point point)
{
    if (point.module)
        snprintf(name, size, "%s+0x%llx", base_name(path), (unsigned long long)point.offset);
    else
        snprintf(name, size, "0x%llx", (unsigned long long)point.offset + 1);
}

/* What code is called that is of no file, by whoever has made it; null: not known. */
static char *name_made_code(struct native_space *space, struct native_point point)
{
    struct perf_map *map = &space->perf_map;
    const struct made_function *function = made_code_find(&space->made, point.offset);
    if (function && function->name)
        return strdup(function->name);
    perf_map_read(map, space->peer->root, space->peer->pid);
    unsigned looks = (unsigned)(map->bytes / PERF_MAP_LOOK_BYTES);
    return map->text && peer_may_look(space->peer, looks) ? perf_map_find(map, point.offset) : NULL;
}

static uint32_t locate_call(struct stacks *stacks, const struct native_space *space,
                            const struct native_call *call, const char *path,
                            struct native_point point)
{
    const struct code_home from = {
        .root = space->peer->root, .directory = "/", .module = point.module};
    char unknown[NATIVE_TEXT_BYTES_MAX];
    name_point(unknown, sizeof unknown, path, point);
    const char *function = call && call->function ? call->function : unknown;
    const char *file = call && call->file ? call->file : path;
    int32_t line = call && call->line <= INT32_MAX ? (int32_t)call->line : 0;
    return codes_locate_named(&stacks->codes, &from, file, function, line);
}

static void name_frames(struct stacks *stacks, struct native_space *space,
                        struct native_point point, struct native_frames *frames)
{
    struct native_table *table = &stacks->native;
    const struct native_module *module = native_modules_get(&table->modules, point.module);
    const char *path = module ? module->path : NO_MODULE;
    bool may_have_names = module && module->kind == NATIVE_MODULE_FILE && start_symbols(table);
    const struct native_symbol *symbol = may_have_names ? ask_symbol(stacks, point) : NULL;
    char *made = module ? NULL : name_made_code(space, point);
    const struct native_call made_call = {.function = made};
    uint32_t count = symbol && symbol->count ? symbol->count : 1;
    frames->starts_threads = starts_threads(path);
    frames->count = count < NATIVE_INLINED_MAX ? count : NATIVE_INLINED_MAX;
    for (uint32_t i = 0; i < frames->count; i++) {
        const struct native_call *call = symbol ? &symbol->calls[frames->count - 1 - i]
                                         : made ? &made_call
                                                : NULL;
        frames->locations[i] = locate_call(stacks, space, call, path, point);
        if (frames->locations[i] == 0)
            NOTE_HERE(&stacks->memory_short);
    }
    free(made);
}

static void name_truncated(struct stacks *stacks, struct native_frames *frames)
{
    uint32_t location = stacks_truncated(stacks);
    frames->count = location != 0;
    frames->locations[0] = location;
}

uint32_t native_frames_find(struct stacks *stacks, struct native_space *space, uint64_t address)
{
    struct native_table *table = &stacks->native;
    bool is_truncated = address == WIRE_NATIVE_TRUNCATED;
    static const struct native_point truncated = {.offset = UINT64_MAX};
    struct native_point point = is_truncated ? truncated : native_space_point(space, address);
    uint32_t *number = native_table_number(table, point);
    if (!number || *number)
        return number ? *number : 0;
    uint32_t count = table->count;
    if (count > NATIVE_PLACES_MAX) {
        space->peer->looks.refused++;
        return 0;
    }
    if (!vector_reserve(&table->list, (size_t)count + 1, sizeof(struct native_frames)))
        return 0;
    struct native_frames *frames = (struct native_frames *)table->list.data + count;
    *frames = (struct native_frames){.point = point};
    table->count++;
    *number = count;
    if (is_truncated)
        name_truncated(stacks, frames);
    else
        name_frames(stacks, space, point, frames);
    return count;
}

const struct native_frames *native_frames_of(struct stacks *stacks, struct native_space *space,
                                             struct native_mirror_level *level)
{
    if (!level->frames || level->told != space->modules.told)
        level->frames = native_frames_find(stacks, space, level->address);
    level->told = space->modules.told;
    return native_frames_at(&stacks->native, level->frames);
}

uint32_t native_level_node(struct stacks *stacks, struct native_space *space,
                           struct native_mirror_level *level, uint32_t parent)
{
    const struct native_frames *frames = native_frames_of(stacks, space, level);
    for (uint32_t i = 0; i < frames->count; i++)
        parent = stacks_child(stacks, parent, frames->locations[i]);
    return parent;
}
