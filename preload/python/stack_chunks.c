/*
 * Keeping the marks. Rare: when a chunk is entered or left.
 */
#include "preload/python/stack_chunks.h"

#include <string.h>

#include "preload/base/shim.h"

#define CHUNK_LEAST (UINT64_C(16) << 10)
/* Chunks that are looked at on the way down to one that has a mark; more are a new stack. */
#define STEPS_MAX (2 * STACK_MARKS_MAX)
/* That get a mark at once; outer ones get theirs when the stack is back in them. */
#define NEW_MAX 32u

_Atomic bool stack_chunks_are_kept;
static bool (*arenas_are_seen)(void);

void stack_chunks_begin(bool (*are_seen)(void))
{
    arenas_are_seen = are_seen;
    atomic_store(&stack_chunks_are_kept, python_layout.at.thread_chunk != 0);
}

static void give_up(struct thread_state *thread)
{
    atomic_store(&stack_chunks_are_kept, false);
    stack_chunks_void(thread);
}

/* The chunk that the thread pushes on; 0: none, or nothing that could be one. */
static uintptr_t current_chunk(uintptr_t state)
{
    uintptr_t at = state + python_layout.at.thread_chunk;
    uintptr_t chunk = frame_load(at, 0), top = frame_load(at, 8), limit = frame_load(at, 16);
    bool is_one = chunk && limit - chunk >= CHUNK_LEAST && top - chunk <= limit - chunk &&
                  frame_load(chunk, 8) == limit - chunk;
    return is_one ? chunk : 0;
}

/* The mark below whose floor nothing can have changed unseen; null: there is none. */
static const struct stack_mark *sure_mark(const struct stack_chunks *chunks)
{
    uint32_t reach = python_layout.rules.keeps_a_chunk ? 2 : 1;
    return chunks->count < reach ? NULL : &chunks->marks[chunks->count - reach];
}

static void set_floor(struct stack_chunks *chunks)
{
    const struct stack_mark *mark = sure_mark(chunks);
    chunks->floor = mark ? mark->floor : 0;
}

/* As many marks as lie up to this chunk's; 0: it has none. */
static uint32_t marks_up_to(const struct stack_chunks *chunks, uintptr_t chunk)
{
    uint32_t count = chunks->count;
    while (count && chunks->marks[count - 1].chunk != chunk)
        count--;
    return count;
}

void stack_chunks_void(struct thread_state *thread)
{
    thread->chunks.count = 0;
    thread->chunks.current = 0;
    thread->chunks.floor = 0;
}

/* Does the frame above one of the interpreter's own still stand on it? */
static bool loop_stands(const struct thread_state *thread, uint32_t loop)
{
    return !loop || frame_previous(thread->walked[loop].frame) == thread->walked[loop - 1].frame;
}

void stack_chunks_doubt(struct thread_state *thread)
{
    if (!arenas_are_seen() || !loop_stands(thread, sure_mark(&thread->chunks)->loop))
        give_up(thread);
}

void stack_chunks_forget(uintptr_t chunk)
{
    for (unsigned i = 0; i < SHIM_STATES; i++) {
        struct thread_state *thread = shim_thread.states[i];
        uint32_t count = thread ? marks_up_to(&thread->chunks, chunk) : 0;
        if (!count)
            continue;
        thread->chunks.count = count - 1;
        thread->chunks.current = 0;
    }
}

/* Up to which mark they are of the stack that has this chunk; 0: none is. The uppermost's chunk may
 * have been taken by another stack. */
static uint32_t marks_of_stack(struct stack_chunks *chunks, uintptr_t chunk)
{
    for (unsigned i = 0; chunk && chunks->count && i < STEPS_MAX; i++) {
        uintptr_t previous = stack_chunk_previous(chunk);
        uint32_t known = marks_up_to(chunks, chunk);
        if (known && chunks->marks[known - 1].previous == previous)
            return known;
        if (known)
            chunks->count = known - 1;
        chunk = previous;
    }
    return 0;
}

void stack_chunks_follow(struct thread_state *thread, uintptr_t state)
{
    struct stack_chunks *chunks = &thread->chunks;
    if (stack_chunks_may_jump(state) || !arenas_are_seen()) {
        give_up(thread);
        return;
    }
    chunks->current = 0;
    if (chunks->state != state)
        chunks->count = 0;
    chunks->state = state;
    chunks->count = marks_of_stack(chunks, current_chunk(state));
    set_floor(chunks);
}

/* A mark's floor, and the loop up to there; none of it is below that of `lower`, if there is one.
 */
static void place_mark(const struct thread_state *thread, struct stack_mark *mark, uint32_t floor,
                       const struct stack_mark *lower)
{
    /* A level that stands for those that are left out has no frame. */
    uint32_t least = lower && lower->floor ? lower->floor : thread->bottom, loop = floor;
    while (loop > least && thread->levels[loop - 1].code)
        loop--;
    mark->floor = floor;
    mark->loop = loop > least ? loop : lower ? lower->loop : 0;
}

static void lower_marks(struct thread_state *thread, uint32_t floor)
{
    struct stack_chunks *chunks = &thread->chunks;
    for (uint32_t i = chunks->count; i-- && chunks->marks[i].floor > floor;)
        place_mark(thread, &chunks->marks[i], floor, NULL);
}

static void add_mark(struct thread_state *thread, const struct stack_mark *mark)
{
    struct stack_chunks *chunks = &thread->chunks;
    /* The outermost say the least. */
    if (chunks->count == STACK_MARKS_MAX) {
        chunks->count /= 2;
        memmove(chunks->marks, chunks->marks + STACK_MARKS_MAX - chunks->count,
                chunks->count * sizeof *chunks->marks);
    }
    lower_marks(thread, mark->floor);
    struct stack_mark *added = &chunks->marks[chunks->count++];
    *added = *mark;
    place_mark(thread, added, mark->floor, chunks->count > 1 ? added - 1 : NULL);
}

/* The lowest level from `base` up to below `top` whose frame lies in the chunk; `top`: none does.
 * Looks no further than to where the chunk below begins. */
static uint32_t lowest_in(const struct thread_state *thread, uintptr_t chunk, uint32_t base,
                          uint32_t top)
{
    uint32_t lowest = top;
    uintptr_t below = stack_chunk_previous(chunk);
    for (uint32_t level = top; level-- > base;) {
        uintptr_t frame = thread->walked[level].frame;
        if (stack_chunk_has(chunk, frame))
            lowest = level;
        else if (below && stack_chunk_has(below, frame))
            break;
    }
    return lowest;
}

/* Are the levels below this one all the interpreter's own? A greenlet's first frame is linked to
 * those of whoever has started it, which go on while it waits, in chunks of their own. */
static bool is_base(const struct thread_state *thread, uint32_t lowest)
{
    for (uint32_t level = 0; level < lowest; level++)
        if (thread->levels[level].code)
            return false;
    return true;
}

/* Marks for the current chunk and those below it down to one that has a mark; all levels from
 * `base` up have just been looked at. */
static void mark_new(struct thread_state *thread, uintptr_t current, uint32_t base, uint32_t depth)
{
    struct stack_chunks *chunks = &thread->chunks;
    struct stack_mark found[NEW_MAX];
    uint32_t count = 0, lowest = depth;
    uintptr_t known = chunks->count ? chunks->marks[chunks->count - 1].chunk : 0;
    for (uintptr_t chunk = current; chunk && chunk != known; chunk = stack_chunk_previous(chunk)) {
        uint32_t top = lowest;
        lowest = lowest_in(thread, chunk, base, top);
        if (lowest < top && count < NEW_MAX)
            found[count++] = (struct stack_mark){.chunk = chunk,
                                                 .previous = stack_chunk_previous(chunk),
                                                 .floor = lowest ? lowest - 1 : 0};
    }
    if (!known && !is_base(thread, lowest))
        return;
    while (count--)
        add_mark(thread, &found[count]);
}

void stack_chunks_note(struct thread_state *thread, uintptr_t state, uint32_t base, uint32_t depth)
{
    struct stack_chunks *chunks = &thread->chunks;
    uint32_t looked_at = chunks->floor;
    lower_marks(thread, base ? base - 1 : 0);
    if (!chunks->current) {
        uintptr_t current = current_chunk(state);
        chunks->state = state;
        if (current)
            mark_new(thread, current, looked_at, depth);
        if (stack_chunks_uppermost(chunks) == current)
            chunks->current = current;
    }
    set_floor(chunks);
}
