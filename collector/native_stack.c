/*
 * Merging incrementally: a prefix of the merged stack stays as it was while what is below it has
 * not changed. `valid` of the Python levels and of the native ones together say how far.
 */
#include "native_stack.h"

#include <stdlib.h>
#include <string.h>

#include "native_frames.h"
#include "process.h"

/* With --max-frames, at most so many. */
#define FRAMES_KEPT_MAX 8192u

void native_mirror_deinit(struct native_mirror *mirror)
{
    free(mirror->levels);
}

bool native_mirror_reserve(struct native_mirror *mirror, uint32_t levels)
{
    uint32_t capacity = mirror->capacity ? mirror->capacity : 64;
    if (levels <= mirror->capacity)
        return true;
    while (capacity < levels)
        capacity *= 2;
    struct native_mirror_level *grown = realloc(mirror->levels, capacity * sizeof *grown);
    if (!grown)
        return false;
    memset(grown + mirror->capacity, 0, (capacity - mirror->capacity) * sizeof *grown);
    mirror->levels = grown;
    mirror->capacity = capacity;
    return true;
}

static uint32_t lesser(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

void native_mirror_set(struct native_mirror *mirror, uint32_t level, uint64_t payload)
{
    struct native_mirror_level *at = &mirror->levels[level];
    uint32_t loops = (uint32_t)(payload >> WIRE_NATIVE_LOOPS_SHIFT & WIRE_NATIVE_LOOPS_MASK);
    if (level < mirror->native_count)
        mirror->changed_loops = lesser(mirror->changed_loops, at->loops);
    mirror->changed_loops = lesser(mirror->changed_loops, loops);
    *at = (struct native_mirror_level){
        .address = payload & WIRE_ADDRESS_MASK,
        .loops = (uint16_t)loops,
        .is_interpreter = payload & WIRE_NATIVE_INTERPRETER_BIT,
    };
    if (level < mirror->valid)
        mirror->valid = level;
}

void native_mirror_forget(struct native_mirror *mirror)
{
    mirror->valid = 0;
    mirror->changed_loops = 0;
}

/* One merging. */
struct merge {
    struct run *run;
    struct process *process;
    struct mirror_level *python;
    struct native_mirror_level *native;
    uint32_t python_count, native_count;
    uint32_t python_at, native_at;
    uint32_t loops; /* of the whole Python stack */
    uint32_t node;
    bool at_start; /* only frames that start a thread so far */
};

/* Numbers the evaluation loops of the Python levels that have changed. Returns the fewest that one
 * of them had or has. */
static uint32_t number_loops(struct merge *merge, uint32_t count_before)
{
    uint32_t changed = UINT32_MAX;
    uint32_t loops = merge->python_at ? merge->python[merge->python_at - 1].loops : 0;
    for (uint32_t i = merge->python_at; i < merge->python_count; i++) {
        struct mirror_level *level = &merge->python[i];
        loops += level->is_entry;
        if (i < count_before)
            changed = lesser(changed, level->loops);
        changed = lesser(changed, loops);
        level->loops = loops;
    }
    if (merge->python_count < count_before)
        changed = lesser(changed, merge->python[merge->python_count].loops);
    merge->loops = merge->python_count ? merge->python[merge->python_count - 1].loops : 0;
    return changed;
}

/* Takes native levels with so many loops below them, or more, out of the prefix. */
static void shorten_native(struct merge *merge, uint32_t loops)
{
    while (merge->native_at && merge->native[merge->native_at - 1].loops >= loops)
        merge->native_at--;
}

/* Finds the prefix of the merged stack that still holds. */
static void find_prefix(struct merge *merge, const struct native_mirror *before)
{
    uint32_t changed_native = before->changed_loops;
    shorten_native(merge, number_loops(merge, before->python_count));
    if (merge->loops != before->loops)
        shorten_native(merge, lesser(merge->loops, before->loops));
    if (merge->native_count < before->native_count)
        changed_native = lesser(changed_native, merge->native[merge->native_count].loops);
    if (merge->native_at < lesser(merge->native_count, before->native_count))
        changed_native = lesser(changed_native, merge->native[merge->native_at].loops);
    while (merge->python_at && merge->python[merge->python_at - 1].loops > changed_native)
        merge->python_at--;
}

static uint32_t node_of_prefix(const struct merge *merge)
{
    const struct mirror_level *python = &merge->python[merge->python_at];
    const struct native_mirror_level *native = &merge->native[merge->native_at];
    if (merge->native_at && (!merge->python_at || native[-1].loops >= python[-1].loops))
        return native[-1].node;
    return merge->python_at ? python[-1].node : 0;
}

static void add(struct merge *merge, uint32_t location)
{
    uint32_t child = stack_tree_child(&merge->run->tree, merge->node, location);
    merge->run->memory_short |= child == 0;
    merge->node = child;
}

static void add_python(struct merge *merge)
{
    struct mirror_level *level = &merge->python[merge->python_at++];
    if (level->location)
        add(merge, level->location);
    level->node = merge->node;
}

static void add_native(struct merge *merge)
{
    struct native_mirror_level *level = &merge->native[merge->native_at++];
    if (!level->frames)
        level->frames = native_frames_find(merge->run, merge->process, level->address);
    const struct native_frames *frames = native_frames_at(&merge->run->native, level->frames);
    bool is_start = level->loops == 0 && merge->node == 0 && frames->starts_threads;
    if (!is_start && (!level->is_interpreter || level->loops >= merge->loops))
        for (uint32_t i = 0; i < frames->count; i++)
            add(merge, frames->locations[i]);
    level->node = merge->node;
}

/* The node of the innermost frames alone; where there are fewer, the same. */
static uint32_t keep_innermost(struct run *run, uint32_t node)
{
    uint32_t locations[FRAMES_KEPT_MAX], count = 0, at = node;
    uint32_t most = run->frames_max < FRAMES_KEPT_MAX ? run->frames_max : FRAMES_KEPT_MAX;
    for (; at && count < most; at = stack_tree_node(&run->tree, at)->parent)
        locations[count++] = stack_tree_node(&run->tree, at)->location;
    if (!at)
        return node;
    for (at = 0; count;)
        at = stack_tree_child(&run->tree, at, locations[--count]);
    return at;
}

uint32_t native_stack_node(struct run *run, struct process *process, struct thread_mirror *thread,
                           bool has_python)
{
    struct native_mirror *mirror = &thread->native;
    if (!thread->is_merged) /* nodes of another stack */
        thread->valid = mirror->valid = mirror->python_count = mirror->native_count = 0;
    thread->is_merged = true;
    struct merge merge = {
        .run = run,
        .process = process,
        .python = thread->levels,
        .native = mirror->levels,
        .python_count = has_python ? thread->depth : 0,
        .native_count = mirror->depth,
        .native_at = mirror->valid < mirror->depth ? mirror->valid : mirror->depth,
    };
    merge.python_at = thread->valid < merge.python_count ? thread->valid : merge.python_count;
    find_prefix(&merge, mirror);
    merge.node = node_of_prefix(&merge);
    while (merge.python_at < merge.python_count || merge.native_at < merge.native_count) {
        bool python_next =
            merge.python_at < merge.python_count &&
            (merge.native_at == merge.native_count ||
             merge.python[merge.python_at].loops <= merge.native[merge.native_at].loops);
        if (python_next)
            add_python(&merge);
        else
            add_native(&merge);
    }
    thread->valid = mirror->python_count = merge.python_count;
    mirror->valid = mirror->native_count = merge.native_count;
    mirror->loops = merge.loops;
    mirror->changed_loops = UINT32_MAX;
    return run->frames_max ? keep_innermost(run, merge.node) : merge.node;
}
