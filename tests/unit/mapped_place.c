/*
 * /proc/self/maps says where a module begins and what part of its file that is; its path is the
 * loader's where it has loaded it. There are no build-ids: with them tests/integration looks.
 */
#include "mapped_place.h"

#include <dlfcn.h>
#include <unistd.h>

#include "collector/system/memory_map.h"
#include "native_places.h"

struct native_point mapped_place(struct native_modules *modules, int root, uint64_t address)
{
    struct native_point place = {.offset = address};
    struct memory_mapping found;
    Dl_info loaded;
    if (!memory_map_find(getpid(), address, &found))
        return place;
    bool is_loaded =
        dladdr((const void *)(uintptr_t)address, &loaded) && loaded.dli_fname[0] == '/';
    const struct native_mapping mapping = {.start = found.start,
                                           .path = is_loaded ? loaded.dli_fname : found.path};
    uint32_t number = native_modules_add(modules, getpid(), root, &mapping);
    const struct native_module *module = native_modules_get(modules, number);
    if (module && native_place_offset(module, found.start, found.offset, address, &place.offset))
        place.module = number;
    return place;
}
