/*
 * Names of native addresses: where the address is (the ranges that the process has told of), what
 * is there (native_symbols.h), and a location for every function of the answer.
 *
 * The one who is asked for names is a process of its own and waited for, once for each place: the
 * writers have the ring to go on with meanwhile.
 */
#include "native_frames.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "process.h"
#include "symbol_cache.h"

#define NO_MODULE  "<native code>"
#define LOOK_UP_MS 1 /* while it waits for a name */
/* To go through so much of a file of names costs as much as a look at another file. */
#define PERF_MAP_LOOK_BYTES (64u << 10)

bool native_table_init(struct native_table *table)
{
    *table = (struct native_table){.count = 1};
    return vector_reserve(&table->list, 1, sizeof(struct native_frames)) &&
           index_init(&table->by_place) && native_modules_init(&table->modules);
}

void native_table_deinit(struct native_table *table)
{
    if (table->has_symbols)
        native_symbols_deinit(&table->symbols);
    native_modules_deinit(&table->modules);
    free(table->chain_nodes.list);
    vector_deinit(&table->list);
    index_deinit(&table->by_place);
}

/* --- ranges ------------------------------------------------------------------------------------
 */

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

static bool overlaps(const struct native_range *one, const struct native_range *other)
{
    return one->start < other->end && other->start < one->end;
}

/* A loader calls a library as it was asked for, which may be a path from the process's folder. */
static char *whole_path(const struct process *process, const char *path)
{
    char *whole;
    if (strncmp(path, "linux-vdso", strlen("linux-vdso")) == 0)
        return strdup("[vdso]");
    if (*path == '/' || *path == 0)
        return strdup(path);
    return asprintf(&whole, "%s/%s", process->peer.directory, path) < 0 ? NULL : whole;
}

static uint32_t module_of(struct native_table *table, const struct process *process,
                          const struct native_range *range, const char *path,
                          const struct build_id *id)
{
    char *whole = whole_path(process, path);
    const struct native_mapping mapping = {
        .start = range->start, .end = range->end, .path = whole, .id = *id};
    uint32_t module = whole ? native_modules_add(&table->modules, process->peer.local,
                                                 process->peer.root, &mapping)
                            : 0;
    free(whole);
    return module;
}

void native_ranges_add(struct run *run, struct process *process, const struct native_range *range,
                       const char *path, const struct build_id *id)
{
    struct native_ranges *ranges = &process->modules;
    uint32_t kept = 0;
    if (!vector_reserve(&ranges->list, (size_t)ranges->count + 1, sizeof *range)) {
        run->ledger.memory_short = true;
        return;
    }
    struct native_range *list = ranges->list.data;
    for (uint32_t i = 0; i < ranges->count; i++)
        if (!overlaps(&list[i], range))
            list[kept++] = list[i];
    ranges->count = kept;
    ranges->told++;
    if (!peer_may_look(&process->peer, ALLOWANCE_MODULE))
        return;
    list[kept] = *range;
    list[kept].module = module_of(&run->native, process, range, path, id);
    ranges->count++;
}

void native_made_add(struct run *run, struct process *process, uint64_t start, uint64_t end,
                     const char *symbol)
{
    enum made_code_answer answer = MADE_CODE_KNOWN;
    if (peer_may_look(&process->peer, ALLOWANCE_MADE_CODE))
        answer = made_code_tell(&process->made_code, start, end, symbol);
    process->modules.told += answer == MADE_CODE_NEW;
    run->ledger.memory_short |= answer == MADE_CODE_NO_MEMORY;
}

/* The place of the call that returns to an address. */
static struct native_place place_of(const struct process *process, uint64_t address)
{
    const struct native_range *ranges = process->modules.list.data;
    for (uint32_t i = 0; i < process->modules.count; i++)
        if (address > ranges[i].start && address <= ranges[i].end)
            return (struct native_place){.module = ranges[i].module,
                                         .offset = address - 1 - ranges[i].bias};
    const struct made_function *function = made_code_find(&process->made_code, address - 1);
    return (struct native_place){.offset = address - 1,
                                 .process = process->peer.number,
                                 .made = function ? function->number : 0};
}

/* --- names -------------------------------------------------------------------------------------
 */

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

/* What is at a place; null when memory is short. The programs go on meanwhile. */
static const struct native_symbol *ask(struct run *run, struct native_place place)
{
    struct native_symbols *symbols = &run->native.symbols;
    const struct native_symbol *symbol;
    bool more = native_symbols_ask(symbols, place);
    while (!(symbol = native_symbols_get(symbols, place)) && more) {
        more = native_symbols_work(symbols, LOOK_UP_MS);
        if (run->while_waiting)
            run->while_waiting(run->waiting_context);
    }
    return symbol ? symbol : native_symbols_get(symbols, place);
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

/* A place without a name: in its module, or the address itself. */
static void name_place(char *name, size_t size, const char *path, struct native_place place)
{
    if (place.module)
        snprintf(name, size, "%s+0x%llx", base_name(path), (unsigned long long)place.offset);
    else
        snprintf(name, size, "0x%llx", (unsigned long long)place.offset + 1);
}

/* What code is called that is of no file, by whoever has made it; null: not known. */
static char *name_made_code(struct process *process, struct native_place place)
{
    struct perf_map *map = &process->perf_map;
    const struct made_function *function = made_code_find(&process->made_code, place.offset);
    if (function && function->name)
        return strdup(function->name);
    perf_map_read(map, process->peer.root, process->peer.pid);
    unsigned looks = (unsigned)(map->bytes / PERF_MAP_LOOK_BYTES);
    return map->text && peer_may_look(&process->peer, looks) ? perf_map_find(map, place.offset)
                                                             : NULL;
}

static uint32_t locate_call(struct run *run, const struct process *process,
                            const struct native_call *call, const char *path,
                            struct native_place place)
{
    const struct code_place from = {
        .root = process->peer.root, .directory = "/", .module = place.module};
    char unknown[NATIVE_TEXT_BYTES_MAX];
    name_place(unknown, sizeof unknown, path, place);
    const char *function = call && call->function ? call->function : unknown;
    const char *file = call && call->file ? call->file : path;
    int32_t line = call && call->line <= INT32_MAX ? (int32_t)call->line : 0;
    return codes_locate_named(&run->codes, &from, file, function, line);
}

static void name_frames(struct run *run, struct process *process, struct native_place place,
                        struct native_frames *frames)
{
    struct native_table *table = &run->native;
    const struct native_module *module = native_modules_get(&table->modules, place.module);
    const char *path = module ? module->path : NO_MODULE;
    bool may_have_names = module && module->kind == NATIVE_MODULE_FILE && start_symbols(table);
    const struct native_symbol *symbol = may_have_names ? ask(run, place) : NULL;
    char *made = module ? NULL : name_made_code(process, place);
    const struct native_call made_call = {.function = made};
    uint32_t count = symbol && symbol->count ? symbol->count : 1;
    frames->starts_threads = starts_threads(path);
    frames->count = count < NATIVE_INLINED_MAX ? count : NATIVE_INLINED_MAX;
    for (uint32_t i = 0; i < frames->count; i++) {
        const struct native_call *call = symbol ? &symbol->calls[frames->count - 1 - i]
                                         : made ? &made_call
                                                : NULL;
        frames->locations[i] = locate_call(run, process, call, path, place);
        run->ledger.memory_short |= frames->locations[i] == 0;
    }
    free(made);
}

static void name_truncated(struct run *run, struct native_frames *frames)
{
    if (!run->truncated)
        run->truncated = codes_truncated(&run->codes);
    frames->count = run->truncated != 0;
    frames->locations[0] = run->truncated;
}

/* Where a place's number stands, or would stand. Another place of the same hash moves on to the
 * next key. */
static uint32_t *number_at(struct native_table *table, struct native_place place)
{
    uint64_t whose = (uint64_t)place.process << 32 | place.module;
    const uint64_t what[] = {place.offset, place.made};
    uint64_t key = index_key(&table->by_place, whose, what, sizeof what);
    for (uint32_t *number; (number = index_at(&table->by_place, key)); key++) {
        const struct native_place *known = &native_frames_at(table, *number)->place;
        if (!*number || (known->module == place.module && known->offset == place.offset &&
                         known->process == place.process && known->made == place.made))
            return number;
    }
    return NULL;
}

uint32_t native_frames_find(struct run *run, struct process *process, uint64_t address)
{
    struct native_table *table = &run->native;
    bool is_truncated = address == WIRE_NATIVE_TRUNCATED;
    static const struct native_place truncated = {.offset = UINT64_MAX};
    struct native_place place = is_truncated ? truncated : place_of(process, address);
    uint32_t *number = number_at(table, place);
    if (!number || *number)
        return number ? *number : 0;
    uint32_t count = table->count;
    if (count > NATIVE_PLACES_MAX) {
        process->peer.looks.refused++;
        return 0;
    }
    if (!vector_reserve(&table->list, (size_t)count + 1, sizeof(struct native_frames)))
        return 0;
    struct native_frames *frames = (struct native_frames *)table->list.data + count;
    *frames = (struct native_frames){.place = place};
    table->count++;
    *number = count;
    if (is_truncated)
        name_truncated(run, frames);
    else
        name_frames(run, process, place, frames);
    return count;
}
