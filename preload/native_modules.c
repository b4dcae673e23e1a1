/*
 * A list of what has been announced. It is short: it is gone through only for addresses that are
 * new. When it is full a module may be announced again, which does no harm.
 */
#include "native_modules.h"

#include <link.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include "ring_writer.h"
#include "wire.h"

#define ANNOUNCED_MAX 512u

static uintptr_t announced[ANNOUNCED_MAX]; /* where they begin */
static unsigned announced_count;
static char program[WIRE_MODULE_PATH_MAX + 1];

void native_modules_init(void)
{
    ssize_t length = readlink("/proc/self/exe", program, sizeof program - 1);
    program[length > 0 ? length : 0] = 0;
}

static bool is_announced(uintptr_t start)
{
    for (unsigned i = 0; i < announced_count; i++)
        if (announced[i] == start)
            return true;
    return false;
}

/* The path's bytes, seven to a word. */
static uint64_t path_word(const char *path, size_t length, size_t at)
{
    uint64_t word = 0;
    for (size_t i = 0; i < WIRE_BYTES_PER_WORD && at + i < length; i++)
        word |= (uint64_t)(unsigned char)path[at + i] << 8 * i;
    return word;
}

static bool send(const struct dl_find_object *object)
{
    const char *path = object->dlfo_link_map->l_name;
    if (!path || !*path)
        path = program;
    size_t length = strnlen(path, WIRE_MODULE_PATH_MAX);
    unsigned words = (unsigned)(length + WIRE_BYTES_PER_WORD - 1) / WIRE_BYTES_PER_WORD;
    uint64_t position;
    if (!ring_reserve(4 + words, &position))
        return false;
    ring_put(position + 1, (uintptr_t)object->dlfo_map_start & WIRE_ADDRESS_MASK);
    ring_put(position + 2, (uintptr_t)object->dlfo_map_end & WIRE_ADDRESS_MASK);
    ring_put(position + 3, object->dlfo_link_map->l_addr & WIRE_ADDRESS_MASK);
    for (unsigned i = 0; i < words; i++)
        ring_put(position + 4 + i, path_word(path, length, (size_t)i * WIRE_BYTES_PER_WORD));
    ring_publish(position, wire_first(WIRE_MODULE) | length);
    return true;
}

void native_module_announce(const struct dl_find_object *object)
{
    uintptr_t start = (uintptr_t)object->dlfo_map_start;
    if (is_announced(start) || !send(object))
        return;
    announced_count %= ANNOUNCED_MAX;
    announced[announced_count++] = start;
}

void native_modules_forget(void)
{
    announced_count = 0;
}
