/*
 * Merging incrementally: a prefix of the merged stack stays as it was while what is below it has
 * not changed. `valid` of the Python levels and of the native ones together say how far.
 */
#include "collector/native/native_stack.h"

#include "collector/native/native_chains.h"
#include "collector/native/native_frames.h"
#include "collector/native/thread_mirror.h"

/* With --max-frames, at most so many. */
#define FRAMES_KEPT_MAX 8192u

static uint32_t lesser_depth(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

/* One merging. */
struct merge {
    struct stacks *stacks;
    struct native_space *space;
    struct mirror_level *python;
    struct native_mirror_level *native;
    bool has_python;
    uint32_t python_count, native_count;
    uint32_t python_at, native_at;
    int32_t loops; /* of the whole Python stack */
    int32_t hidden;
    bool is_cut;
    uint32_t start; /* what the stack begins with: 0, or the node of the mark */
    uint32_t node;
};

/* The Python stack's loops below a native level; negative: not one of them. */
static int32_t loops_below(const struct merge *merge, const struct native_mirror_level *level)
{
    return level->loops + merge->hidden;
}

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
            changed = lesser_depth(changed, level->loops);
        changed = lesser_depth(changed, loops);
        level->loops = loops;
    }
    if (merge->python_count < count_before)
        changed = lesser_depth(changed, merge->python[merge->python_count].loops);
    merge->loops = merge->python_count ? (int32_t)merge->python[merge->python_count - 1].loops : 0;
    return changed;
}

/* How many loops of the Python stack the native one does not have, see above. */
static int32_t count_hidden(const struct merge *merge)
{
    if (!merge->has_python || merge->native_count == 0)
        return 0;
    const struct native_mirror_level *innermost = &merge->native[merge->native_count - 1];
    return merge->loops - innermost->loops - innermost->is_loop;
}

/* Is what stands outside of Python's first loop left out? Where Python's own outer frames are, it
 * is not known which loop that is. */
static bool merge_is_cut(const struct merge *merge)
{
    if (merge->python_count && merge->stacks->truncated &&
        merge->python[0].location == merge->stacks->truncated)
        return false;
    return merge->hidden < 0 || (merge->hidden == 0 && merge->loops > 0 && merge->native_count &&
                                 merge->native[0].address == WIRE_NATIVE_TRUNCATED);
}

/* Takes native levels with so many loops below them, or more, out of the prefix. */
static void shorten_native(struct merge *merge, int32_t loops)
{
    while (merge->native_at && loops_below(merge, &merge->native[merge->native_at - 1]) >= loops)
        merge->native_at--;
}

/* Finds the prefix of the merged stack that still holds. */
static void find_prefix(struct merge *merge, const struct native_mirror *before)
{
    uint32_t changed_native = before->changed_loops;
    uint32_t changed_python = number_loops(merge, before->python_count);
    merge->hidden = count_hidden(merge);
    merge->is_cut = merge_is_cut(merge);
    if (merge->hidden != before->hidden || merge->is_cut != before->is_cut) {
        merge->python_at = merge->native_at = 0;
        return;
    }
    if (changed_python != UINT32_MAX)
        shorten_native(merge, (int32_t)changed_python);
    if (merge->loops != (int32_t)before->loops)
        shorten_native(merge, (int32_t)lesser_depth((uint32_t)merge->loops, before->loops));
    if (merge->native_count != before->native_count)
        changed_native = lesser_depth(
            changed_native,
            merge->native[lesser_depth(merge->native_count, before->native_count)].loops);
    if (merge->native_at < lesser_depth(merge->native_count, before->native_count))
        changed_native = lesser_depth(changed_native, merge->native[merge->native_at].loops);
    if (changed_native == UINT32_MAX)
        return;
    while (merge->python_at && (int32_t)merge->python[merge->python_at - 1].loops >
                                   (int32_t)changed_native + merge->hidden)
        merge->python_at--;
}

/* Does a Python level come before a native one? */
static bool is_before(const struct merge *merge, const struct mirror_level *python,
                      const struct native_mirror_level *native)
{
    return (int32_t)python->loops <= loops_below(merge, native);
}

static uint32_t node_of_prefix(const struct merge *merge)
{
    /* Without levels there may be no array. */
    const struct mirror_level *python =
        merge->python_at ? &merge->python[merge->python_at - 1] : NULL;
    const struct native_mirror_level *native =
        merge->native_at ? &merge->native[merge->native_at - 1] : NULL;
    if (native && (!python || is_before(merge, python, native)))
        return native->node;
    return python ? python->node : merge->start;
}

static void add_python(struct merge *merge)
{
    struct mirror_level *level = &merge->python[merge->python_at++];
    if (level->location)
        merge->node = stacks_child(merge->stacks, merge->node, level->location);
    level->node = merge->node;
}

/* Does it say nothing, being the interpreter's own code, or what starts threads? */
static bool is_passed_over(const struct merge *merge, struct native_mirror_level *level)
{
    int32_t loops = loops_below(merge, level);
    return (level->is_interpreter && loops < merge->loops) ||
           (loops == 0 && merge->node == 0 &&
            native_frames_of(merge->stacks, merge->space, level)->starts_threads);
}

static void add_native(struct merge *merge)
{
    struct native_mirror_level *level = &merge->native[merge->native_at++];
    level->node = merge->node;
    if (loops_below(merge, level) < (merge->is_cut && merge->loops > 0))
        return; /* not this stack's */
    if (!is_passed_over(merge, level))
        merge->node = native_level_node(merge->stacks, merge->space, level, merge->node);
    level->node = merge->node;
}

/* The node of the innermost frames alone; where there are fewer, the same. */
static uint32_t keep_innermost(struct stacks *stacks, uint32_t node)
{
    uint32_t locations[FRAMES_KEPT_MAX], count = 0, at = node;
    uint32_t most = stacks->frames_max < FRAMES_KEPT_MAX ? stacks->frames_max : FRAMES_KEPT_MAX;
    for (; at && count < most; at = stack_tree_node(&stacks->tree, at)->parent)
        locations[count++] = stack_tree_node(&stacks->tree, at)->location;
    if (!at)
        return node;
    for (at = 0; count;)
        at = stack_tree_child(&stacks->tree, at, locations[--count]);
    return at;
}

/* Modules have been told of since: what addresses are called is to be asked anew. */
static void ask_anew(struct stacks *stacks, const struct native_space *space,
                     struct native_mirror *mirror)
{
    native_chains_rename(stacks, mirror);
    native_mirror_forget(mirror);
    mirror->told = space->modules.told;
}

uint32_t native_stack_node(struct stacks *stacks, struct native_space *space,
                           struct thread_mirror *thread, bool has_python)
{
    struct native_mirror *mirror = &thread->native;
    if (__builtin_expect(mirror->told != space->modules.told, 0))
        ask_anew(stacks, space, mirror);
    if (!thread->is_merged) /* nodes of another stack */
        thread->valid = mirror->valid = mirror->python_count = mirror->native_count = 0;
    thread->is_merged = true;
    struct merge merge = {
        .stacks = stacks,
        .space = space,
        .python = thread->levels,
        .native = mirror->levels,
        .has_python = has_python,
        .python_count = has_python ? thread->depth : 0,
    };
    merge.python_at = lesser_depth(thread->valid, merge.python_count);
    /* What is above the innermost loop needs not be merged. */
    merge.native_count = mirror->top ? mirror->top_level + 1 : mirror->depth;
    merge.native_at = lesser_depth(mirror->valid, merge.native_count);
    find_prefix(&merge, mirror);
    if (merge.is_cut)
        merge.node = stacks_child(stacks, merge.node, stacks_truncated(stacks));
    merge.start = merge.node;
    merge.node = node_of_prefix(&merge);
    while (merge.python_at < merge.python_count || merge.native_at < merge.native_count) {
        bool python_next =
            merge.python_at < merge.python_count &&
            (merge.native_at == merge.native_count ||
             is_before(&merge, &merge.python[merge.python_at], &merge.native[merge.native_at]));
        if (python_next)
            add_python(&merge);
        else
            add_native(&merge);
    }
    thread->valid = mirror->python_count = merge.python_count;
    mirror->valid = mirror->native_count = merge.native_count;
    mirror->loops = (uint32_t)merge.loops;
    mirror->hidden = merge.hidden;
    mirror->is_cut = merge.is_cut;
    mirror->changed_loops = UINT32_MAX;
    if (mirror->top)
        merge.node = native_chain_node(stacks, space, mirror, merge.node);
    else
        mirror->above.valid = 0; /* nodes of the merged stack have taken their places */
    return stacks->frames_max ? keep_innermost(stacks, merge.node) : merge.node;
}
