/*
 * Applying what comes, and knowing what has changed by it.
 */
#include "collector/native/native_mirror.h"

#include <stdlib.h>
#include <string.h>

#include "collector/base/array.h"

void native_mirror_deinit(struct native_mirror *mirror)
{
    for (uint32_t i = 0; mirror->chains && i < WIRE_CHAINS; i++)
        free(mirror->chains[i].levels);
    free(mirror->chains);
    free(mirror->levels);
    mirror->chains = NULL;
    mirror->levels = NULL;
}

bool native_mirror_reserve(struct native_mirror *mirror, uint32_t levels)
{
    if (levels <= mirror->capacity)
        return true;
    struct native_mirror_level *grown =
        array_grow(mirror->levels, &mirror->capacity, levels, sizeof *grown);
    mirror->levels = grown ? grown : mirror->levels;
    return grown;
}

static uint32_t lesser_depth(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

void native_mirror_change(struct native_mirror *mirror, uint32_t level, uint32_t loops)
{
    if (level < mirror->native_count)
        loops = lesser_depth(loops, mirror->levels[level].loops);
    mirror->changed_loops = lesser_depth(mirror->changed_loops, loops);
    if (level < mirror->valid)
        mirror->valid = level;
}

/* The interpreter's frames below the innermost loop are not shown: where one becomes another, as
 * that of the loop does with every call, the nodes stay what they were. Which loop is the innermost
 * one may change; then those with as many loops are merged anew (find_prefix()). */
static bool is_hidden_change(const struct native_mirror *mirror, uint32_t level,
                             const struct native_mirror_level *put)
{
    const struct native_mirror_level *at = &mirror->levels[level];
    return level < mirror->native_count && at->is_interpreter && put->is_interpreter &&
           at->is_loop == put->is_loop && at->loops == put->loops &&
           put->loops + mirror->hidden < (int32_t)mirror->loops;
}

static bool is_same(const struct native_mirror_level *one, const struct native_mirror_level *other)
{
    return one->address == other->address && one->loops == other->loops &&
           one->is_loop == other->is_loop && one->is_interpreter == other->is_interpreter;
}

void native_mirror_put(struct native_mirror *mirror, uint32_t level,
                       const struct native_mirror_level *put)
{
    struct native_mirror_level *at = &mirror->levels[level];
    uint32_t node = at->node;
    if (is_same(at, put))
        return;
    if (level > mirror->above.level && level < mirror->above.valid)
        mirror->above.valid = level;
    if (is_hidden_change(mirror, level, put)) {
        *at = *put;
        at->node = node;
        return;
    }
    native_mirror_change(mirror, level, put->loops);
    *at = *put;
}

void native_mirror_set(struct native_mirror *mirror, uint32_t level, uint64_t payload)
{
    const struct native_mirror_level put = {
        .address = payload & WIRE_ADDRESS_MASK,
        .loops = (uint16_t)(payload >> WIRE_NATIVE_LOOPS_SHIFT & WIRE_NATIVE_LOOPS_MASK),
        .is_loop = payload & WIRE_NATIVE_LOOP_BIT,
        .is_interpreter = payload & WIRE_NATIVE_INTERPRETER_BIT,
    };
    native_mirror_put(mirror, level, &put);
}

void native_mirror_forget(struct native_mirror *mirror)
{
    mirror->valid = 0;
    mirror->changed_loops = 0;
    mirror->above.valid = 0;
}
