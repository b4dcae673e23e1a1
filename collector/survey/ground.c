/*
 * The kernel's list is read once; each anonymous mapping in it is carved up by what is known of its
 * addresses. Names are paths; those of code that has asked for mappings are looked up in the list.
 *
 * What nobody has said anything of, and has blocks in it, is a heap of the C library's. What has
 * none is told by how it lies: behind a library's data is what that has of zeros; the C library's
 * further heaps begin at multiples of their size; a stack has a guard below it, or has been told by
 * its thread.
 */
#include "collector/survey/ground.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "collector/base/array.h"
#include "collector/book/mappings.h"
#include "collector/book/places.h"
#include "collector/system/memory_map.h"

/* Guards are a page; some runtimes make larger ones. */
#define GUARD_BYTES_MAX (UINT64_C(1) << 20)

/* A line of the kernel's list. */
struct area {
    uint64_t start, end;
    uint32_t name;
    bool is_accessible, is_main_heap;
    uint8_t kind; /* enum ground_kind; GROUND_REST is carved up */
};

struct survey_areas {
    struct area *list;
    uint32_t count, capacity;
    struct ground *ground;
    bool *is_library; /* by name */
    uint32_t library_capacity;
    bool is_short; /* of memory */
};

const char *ground_name(const struct ground *ground, uint32_t name)
{
    return name ? ground->names[name] : NULL;
}

bool ground_is_c_library(const char *path)
{
    return strstr(path, "/libc.so") || strstr(path, "/libc-2");
}

/* 0: memory is short. */
static uint32_t add_name(struct ground *ground, const char *text)
{
    char **names =
        array_grow(ground->names, &ground->name_capacity, ground->name_count + 2, sizeof *names);
    char *copy = names ? strdup(text) : NULL;
    if (names)
        ground->names = names;
    if (!copy)
        return 0;
    names[++ground->name_count] = copy;
    return ground->name_count;
}

static uint32_t name_of(struct ground *ground, const char *text)
{
    if (ground->name_count && strcmp(ground->names[ground->name_count], text) == 0)
        return ground->name_count;
    uint32_t *number =
        index_at(&ground->by_name, index_key(&ground->by_name, 0, text, strlen(text)));
    if (number && !*number)
        *number = add_name(ground, text);
    return number ? *number : 0;
}

static bool begins(const char *text, const char *with)
{
    return strncmp(text, with, strlen(with)) == 0;
}

static bool is_shim(const char *path)
{
    const char *name = strrchr(path, '/');
    return begins(path, "/memfd:heapline") || (name && strcmp(name, "/libheapline.so") == 0);
}

static enum ground_kind kind_of_path(const char *path)
{
    static const char *const shared[] = {"/memfd:", "/dev/shm/", "/SYSV"};
    if (!path[0] || begins(path, "[anon") || strcmp(path, "[heap]") == 0 ||
        strcmp(path, "/dev/zero") == 0)
        return GROUND_REST;
    if (begins(path, "[stack"))
        return GROUND_STACK;
    if (is_shim(path))
        return GROUND_SHIM;
    if (begins(path, "/anon_hugepage") || begins(path, "/dev/hugepages/"))
        return GROUND_HUGETLB;
    for (unsigned i = 0; i < sizeof shared / sizeof *shared; i++)
        if (begins(path, shared[i]))
            return GROUND_SHARED;
    return GROUND_FILE;
}

static bool note_library(struct survey_areas *areas, uint32_t name, bool is_executable)
{
    bool *list = array_grow(areas->is_library, &areas->library_capacity, name + 1, sizeof *list);
    if (!list)
        return false;
    areas->is_library = list;
    list[name] |= is_executable;
    return true;
}

/* The kernel's own pages ([vdso], [vsyscall] and the like), which are no part of resident memory.
 */
static bool is_kernels(const struct memory_mapping *mapping)
{
    return mapping->end > WIRE_ADDRESS_MASK || begins(mapping->path, "[v");
}

static bool note_code(struct ground *ground, uint32_t name, const struct memory_mapping *mapping)
{
    struct code_area *codes =
        array_grow(ground->codes, &ground->code_capacity, ground->code_count + 1, sizeof *codes);
    if (!codes)
        return false;
    ground->codes = codes;
    codes[ground->code_count++] =
        (struct code_area){name, mapping->offset, mapping->end - mapping->start};
    return true;
}

static bool add_area(void *context, const struct memory_mapping *mapping)
{
    struct survey_areas *areas = context;
    if (is_kernels(mapping))
        return true;
    struct area *list = array_grow(areas->list, &areas->capacity, areas->count + 1, sizeof *list);
    enum ground_kind kind = kind_of_path(mapping->path);
    bool is_named = kind == GROUND_FILE || kind == GROUND_SHARED || kind == GROUND_SHIM;
    uint32_t name = is_named ? name_of(areas->ground, mapping->path) : 0;
    areas->is_short |=
        !list || (is_named && !name) ||
        (kind == GROUND_FILE && mapping->is_executable && !note_code(areas->ground, name, mapping));
    if (list)
        areas->list = list;
    if (areas->is_short || !note_library(areas, name, name && mapping->is_executable))
        return false;
    areas->list[areas->count++] = (struct area){
        .start = mapping->start,
        .end = mapping->end,
        .name = name,
        .is_accessible = mapping->is_accessible,
        .is_main_heap = strcmp(mapping->path, "[heap]") == 0,
        .kind = (uint8_t)kind,
    };
    return true;
}

static const struct area *area_at(const struct survey_areas *areas, uint64_t address)
{
    uint32_t low = 0, high = areas->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (areas->list[middle].end <= address)
            low = middle + 1;
        else
            high = middle;
    }
    bool is_there = low < areas->count && areas->list[low].start <= address;
    return is_there ? &areas->list[low] : NULL;
}

/* --- segments ----------------------------------------------------------------------------------
 */

/* Two that lie beside each other and are the same are one; arenas are told apart. */
static bool goes_on(const struct segment *last, const struct segment *next)
{
    return last->end == next->start && last->kind == next->kind && last->name == next->name &&
           last->kind != GROUND_ARENA && last->kind != GROUND_REST;
}

static bool add_segment(struct ground *ground, const struct segment *segment)
{
    if (ground->count && goes_on(&ground->segments[ground->count - 1], segment)) {
        ground->segments[ground->count - 1].end = segment->end;
        return true;
    }
    struct segment *list =
        array_grow(ground->segments, &ground->capacity, ground->count + 1, sizeof *list);
    if (!list)
        return false;
    ground->segments = list;
    list[ground->count++] = *segment;
    return true;
}

/* What the process has mapped and is memory: does it lie there? *end: up to where. */
static bool is_mapped(const struct ground_source *source, uint64_t address, uint64_t *end)
{
    const struct mappings *mappings = source->mappings;
    uint32_t number = mappings->live_ranges ? mappings_beyond(mappings, address) : 0;
    *end = UINT64_MAX;
    if (!number)
        return false;
    const struct mapping_range *range = mappings_range(mappings, number);
    *end = range->start > address ? range->start : range->end;
    return range->start <= address &&
           source->is_memory(source->context, mappings_at(mappings, range->mapping)->counter);
}

static enum ground_kind kind_of_place(enum wire_place place)
{
    switch (place) {
    case WIRE_PLACE_ARENA:
        return GROUND_ARENA;
    case WIRE_PLACE_FRAMES:
        return GROUND_STACK;
    case WIRE_PLACE_SHIM:
        return GROUND_SHIM;
    case PLACE_LAZY:
        return GROUND_LAZY;
    default:
        return GROUND_REST;
    }
}

/* Whole pages: the data segment grows by bytes, and a process may say what it likes. */
static uint64_t page_end(uint64_t address, uint64_t most)
{
    const uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
    uint64_t end = address < most ? (address + page - 1) & ~(page - 1) : most;
    return end < most ? end : most;
}

/* The segment that begins at an address of an area, and ends before `end`. */
static struct segment carve(struct survey_areas *areas, const struct ground_source *source,
                            uint64_t start, uint64_t end)
{
    uint64_t place_end, mapped_end, caller;
    enum ground_kind kind = kind_of_place(places_at(source->places, start, &place_end, &caller));
    bool mapped = is_mapped(source, start, &mapped_end);
    struct segment segment = {.start = start, .end = end, .kind = (uint8_t)kind};
    segment.end = page_end(place_end, segment.end);
    if (kind != GROUND_REST)
        return segment;
    segment.end = page_end(mapped_end, segment.end);
    if (mapped) {
        const struct area *code = area_at(areas, caller);
        segment.kind = GROUND_MAPPED;
        segment.name = code ? code->name : 0;
    }
    return segment;
}

static bool carve_area(struct survey_areas *areas, const struct ground_source *source,
                       uint32_t number)
{
    const struct area *area = &areas->list[number];
    const struct area *before = number ? area - 1 : NULL;
    bool joins = before && before->end == area->start;
    for (uint64_t at = area->start; at < area->end;) {
        struct segment segment = carve(areas, source, at, area->end);
        segment.is_main_heap = area->is_main_heap;
        if (at == area->start && joins) {
            segment.behind = areas->is_library[before->name] ? before->name : 0;
            segment.has_guard =
                !before->is_accessible && before->end - before->start <= GUARD_BYTES_MAX;
        }
        if (!add_segment(areas->ground, &segment))
            return false;
        at = segment.end;
    }
    return true;
}

static bool add_named(struct survey_areas *areas, const struct area *area)
{
    struct segment segment = {
        .start = area->start, .end = area->end, .name = area->name, .kind = area->kind};
    if (segment.kind == GROUND_FILE && areas->is_library[area->name])
        segment.kind = GROUND_LIBRARY;
    return add_segment(areas->ground, &segment);
}

static void note_allocator(struct survey_areas *areas, uint64_t address)
{
    const struct area *code = area_at(areas, address);
    const char *path = code ? ground_name(areas->ground, code->name) : NULL;
    if (!path)
        return;
    areas->ground->allocator = code->name;
    areas->ground->has_other_malloc = !ground_is_c_library(path);
}

bool ground_read(struct ground *ground, const struct ground_source *source)
{
    struct survey_areas areas = {.ground = ground};
    *ground = (struct ground){0};
    bool good = index_init(&ground->by_name) && memory_map_each(source->pid, add_area, &areas);
    if (good)
        note_allocator(&areas, source->places->allocator);
    for (uint32_t i = 0; good && i < areas.count; i++)
        good = areas.list[i].kind == GROUND_REST ? carve_area(&areas, source, i)
                                                 : add_named(&areas, &areas.list[i]);
    free(areas.list);
    free(areas.is_library);
    return good;
}

void ground_deinit(struct ground *ground)
{
    for (uint32_t i = 1; i <= ground->name_count; i++)
        free(ground->names[i]);
    free(ground->names);
    free(ground->segments);
    free(ground->codes);
    index_deinit(&ground->by_name);
    *ground = (struct ground){0};
}

/* --- what is left ------------------------------------------------------------------------------
 */

static void settle_segment(struct ground *ground, const struct places *places,
                           struct segment *segment)
{
    const char *behind = ground_name(ground, segment->behind);
    if (segment->is_main_heap || segment->block_bytes ||
        (segment->start % GROUND_HEAP_BYTES == 0 && !ground->has_other_malloc)) {
        segment->kind = GROUND_HEAP;
    } else if (behind) {
        segment->kind = is_shim(behind) ? GROUND_SHIM : GROUND_LIBRARY;
        segment->name = segment->behind;
    } else if (segment->has_guard || places_has_stack(places, segment->start, segment->end)) {
        segment->kind = GROUND_STACK;
    } else {
        segment->kind = GROUND_UNSEEN;
    }
}

void ground_settle(struct ground *ground, const struct places *places)
{
    for (uint32_t i = 0; i < ground->count; i++)
        if (ground->segments[i].kind == GROUND_REST)
            settle_segment(ground, places, &ground->segments[i]);
}
