/*
 * Modules are looked for when they are told of, for they may be gone later.
 */
#include "collector/native/native_space.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "collector/native/stacks.h"

void native_space_deinit(struct native_space *space)
{
    vector_deinit(&space->modules.list);
    made_code_deinit(&space->made);
    perf_map_deinit(&space->perf_map);
}

static bool ranges_overlap(const struct native_range *one, const struct native_range *other)
{
    return one->start < other->end && other->start < one->end;
}

/* A loader calls a library as it was asked for, which may be a path from the process's folder. */
static char *whole_path(const struct native_space *space, const char *path)
{
    char *whole;
    if (strncmp(path, "linux-vdso", strlen("linux-vdso")) == 0)
        return strdup("[vdso]");
    if (*path == '/' || *path == 0)
        return strdup(path);
    return asprintf(&whole, "%s/%s", space->peer->directory, path) < 0 ? NULL : whole;
}

static uint32_t module_of(struct native_table *table, const struct native_space *space,
                          const struct native_range *range, const char *path,
                          const struct build_id *id)
{
    char *whole = whole_path(space, path);
    const struct native_mapping mapping = {.start = range->start, .path = whole, .id = *id};
    uint32_t module =
        whole ? native_modules_add(&table->modules, space->peer->local, space->peer->root, &mapping)
              : 0;
    free(whole);
    return module;
}

void native_ranges_add(struct stacks *stacks, struct native_space *space,
                       const struct native_range *range, const char *path,
                       const struct build_id *id)
{
    struct native_ranges *ranges = &space->modules;
    uint32_t kept = 0;
    if (!vector_reserve(&ranges->list, (size_t)ranges->count + 1, sizeof *range)) {
        NOTE_HERE(&stacks->memory_short);
        return;
    }
    struct native_range *list = ranges->list.data;
    for (uint32_t i = 0; i < ranges->count; i++)
        if (!ranges_overlap(&list[i], range))
            list[kept++] = list[i];
    ranges->count = kept;
    ranges->told++;
    if (!peer_may_look(space->peer, ALLOWANCE_MODULE))
        return;
    list[kept] = *range;
    list[kept].module = module_of(&stacks->native, space, range, path, id);
    ranges->count++;
}

void native_made_add(struct stacks *stacks, struct native_space *space, uint64_t start,
                     uint64_t end, const char *symbol)
{
    enum made_code_answer answer = MADE_CODE_KNOWN;
    if (peer_may_look(space->peer, ALLOWANCE_MADE_CODE))
        answer = made_code_tell(&space->made, start, end, symbol);
    space->modules.told += answer == MADE_CODE_NEW;
    if (answer == MADE_CODE_NO_MEMORY)
        NOTE_HERE(&stacks->memory_short);
}

struct native_point native_space_point(const struct native_space *space, uint64_t address)
{
    const struct native_range *ranges = space->modules.list.data;
    for (uint32_t i = 0; i < space->modules.count; i++)
        if (address > ranges[i].start && address <= ranges[i].end)
            return (struct native_point){.module = ranges[i].module,
                                         .offset = address - 1 - ranges[i].bias};
    const struct made_function *function = made_code_find(&space->made, address - 1);
    return (struct native_point){.offset = address - 1,
                                 .process = space->peer->number,
                                 .made = function ? function->number : 0};
}
