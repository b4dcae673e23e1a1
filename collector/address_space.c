/*
 * Mappings of code, sorted by address; all others are passed over while /proc/PID/maps is read,
 * which can have many thousand lines. A mapping's module is looked for when an address in it is.
 *
 * A process may send addresses that are nowhere. Each look at the mappings that does not find one
 * doubles the number of unknown addresses that are then passed without a look, up to a thousand.
 */
#include "address_space.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "proc.h"

#define MAPS_BYTES       ((size_t)64 * 1024)
#define RANGES_MAX       65536
#define PASSES_LOG2_MAX  10
#define USER_ADDRESS_MAX ((uint64_t)1 << 63)

struct address_range {
    struct native_mapping mapping;
    uint32_t module; /* 0: not looked for yet */
};

struct ranges {
    struct vector vector;
    uint32_t count;
};

static struct address_range *range_at(const struct vector *ranges, uint32_t number)
{
    return (struct address_range *)ranges->data + number;
}

static void ranges_free(struct vector *ranges, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        free(range_at(ranges, i)->mapping.path);
    vector_deinit(ranges);
}

void address_space_init(struct address_space *space, pid_t pid, int pidfd, int root)
{
    *space = (struct address_space){.pid = pid, .pidfd = pidfd, .root = root};
}

void address_space_deinit(struct address_space *space)
{
    ranges_free(&space->ranges, space->count);
    *space = (struct address_space){0};
}

/* --- reading -------------------------------------------------------------------------------------
 */

/* A line of /proc/PID/maps: START-END PERMISSIONS OFFSET MAJOR:MINOR INODE PATH. False: the mapping
 * is not code. */
static bool parse_line(const char *line, struct native_mapping *mapping)
{
    unsigned long long start, end, offset, inode;
    int path = 0;
    const char *permissions = strchr(line, ' ');
    if (!permissions || strnlen(permissions, 5) < 5 || permissions[3] != 'x')
        return false;
    if (sscanf(line, "%llx-%llx %*4s %llx %x:%x %llu %n", &start, &end, &offset,
               &mapping->device_major, &mapping->device_minor, &inode, &path) < 6 ||
        !path || start >= end)
        return false;
    mapping->start = start;
    mapping->end = end;
    mapping->offset = offset;
    mapping->inode = inode;
    mapping->path = strdup(line + path);
    return mapping->path != NULL;
}

static void add_line(struct ranges *ranges, const char *line)
{
    struct address_range range = {0};
    if (ranges->count == RANGES_MAX || !parse_line(line, &range.mapping))
        return;
    bool in_order = !ranges->count || range_at(&ranges->vector, ranges->count - 1)->mapping.end <=
                                          range.mapping.start;
    if (in_order && vector_reserve(&ranges->vector, ranges->count + 1, sizeof range))
        *range_at(&ranges->vector, ranges->count++) = range;
    else
        free(range.mapping.path);
}

/* Takes the whole lines from text[0..bytes); returns where the rest begins. */
static size_t add_lines(struct ranges *ranges, char *text, size_t bytes)
{
    size_t at = 0;
    for (char *end; (end = memchr(text + at, '\n', bytes - at)); at = (size_t)(end - text) + 1) {
        *end = 0;
        add_line(ranges, text + at);
    }
    return at;
}

static void read_ranges(pid_t pid, struct ranges *ranges)
{
    int file = proc_open(pid, "maps");
    char *text = file < 0 ? NULL : malloc(MAPS_BYTES);
    size_t have = 0;
    ssize_t got;
    while (text && (got = read(file, text + have, MAPS_BYTES - have)) > 0) {
        have += (size_t)got;
        size_t taken = add_lines(ranges, text, have);
        have -= taken;
        memmove(text, text + taken, have);
        if (have == MAPS_BYTES)
            have = 0;
    }
    free(text);
    if (file >= 0)
        close(file);
}

/* --- renewing ------------------------------------------------------------------------------------
 */

static struct address_range *find_range(const struct address_space *space, uint64_t address)
{
    uint32_t low = 0, high = space->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        struct address_range *range = range_at(&space->ranges, middle);
        if (address < range->mapping.start)
            high = middle;
        else if (address >= range->mapping.end)
            low = middle + 1;
        else
            return range;
    }
    return NULL;
}

static bool is_same_file(const struct native_mapping *one, const struct native_mapping *other)
{
    return one->start == other->start && one->offset == other->offset &&
           one->inode == other->inode && one->device_major == other->device_major &&
           one->device_minor == other->device_minor && strcmp(one->path, other->path) == 0;
}

/* Takes over what is known of mappings that are still there. Returns how many are; those of the
 * kernel, which are the same in every process, do not count. */
static uint32_t take_over(const struct address_space *space, const struct native_modules *modules,
                          struct ranges *ranges)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < ranges->count; i++) {
        struct address_range *range = range_at(&ranges->vector, i);
        const struct address_range *old = find_range(space, range->mapping.start);
        if (!old || !is_same_file(&old->mapping, &range->mapping))
            continue;
        kept += range->mapping.start < USER_ADDRESS_MAX;
        const struct native_module *module = native_modules_get(modules, old->module);
        if (module && !native_module_has_changed(module))
            range->module = old->module;
    }
    return kept;
}

/* Has the process that the number meant ended while its mappings were read? */
static bool has_ended(const struct address_space *space)
{
    struct pollfd end = {.fd = space->pidfd, .events = POLLIN};
    return space->pidfd >= 0 && poll(&end, 1, 0) > 0;
}

bool address_space_renew(struct address_space *space, const struct native_modules *modules)
{
    struct ranges ranges = {0};
    if (space->pid)
        read_ranges(space->pid, &ranges);
    uint32_t kept = take_over(space, modules, &ranges);
    space->fruitless = space->to_pass = 0;
    if (!ranges.count || (space->count && !kept) || has_ended(space)) {
        ranges_free(&ranges.vector, ranges.count);
        return false;
    }
    ranges_free(&space->ranges, space->count);
    space->ranges = ranges.vector;
    space->count = ranges.count;
    return true;
}

/* --- asking --------------------------------------------------------------------------------------
 */

/* The range of an address; of an unknown one after another look at the mappings. */
static struct address_range *look_for(struct address_space *space,
                                      const struct native_modules *modules, uint64_t address)
{
    struct address_range *range = find_range(space, address);
    if (range || !space->pid)
        return range;
    if (space->to_pass) {
        space->to_pass--;
        return NULL;
    }
    uint32_t fruitless = space->fruitless;
    address_space_renew(space, modules);
    range = find_range(space, address);
    if (!range) {
        space->fruitless = fruitless < PASSES_LOG2_MAX ? fruitless + 1 : fruitless;
        space->to_pass = (1u << fruitless) - 1;
    }
    return range;
}

struct native_place address_space_find(struct address_space *space, struct native_modules *modules,
                                       uint64_t address, enum native_address_kind kind)
{
    uint64_t at = address - (kind == NATIVE_ADDRESS_RETURN);
    struct native_place place = {.offset = at};
    struct address_range *range = look_for(space, modules, at);
    if (!range)
        return place;
    if (!range->module)
        range->module = native_modules_add(modules, space->pid, space->root, &range->mapping);
    const struct native_module *module = native_modules_get(modules, range->module);
    if (module && native_module_offset(module, &range->mapping, at, &place.offset))
        place.module = range->module;
    return place;
}
