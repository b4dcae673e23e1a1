/*
 * The walk over the linked frames.
 *
 * A thread's levels remember the last walk: frame address, instruction and code, outermost first.
 * A new walk starts at the leaf and collects frames until it meets one that is remembered. From
 * there down every level that may have changed (stack_chunks.h; up to 3.10 all) is compared with
 * memory, link and instruction: the address of the next frame to look at comes from the array and
 * not from the load before it, so the loads overlap. Where an instruction differs the level is
 * mended; where a link differs, the frames above it have come to stand on others, and collecting
 * goes on below. When that meets nothing that is remembered, everything is walked anew.
 *
 * Only what differs from what the reader was told goes into the stream. Most often that is nothing
 * or the leaf's instruction, which the ALLOCATION record carries itself.
 *
 * Why remembered levels can be trusted: from 3.11 on the instruction is a pointer into the code
 * object, so the same instruction means the same code as long as that object lives; its death is
 * seen (code_table.h) and voids all levels. Before 3.11 the code is compared as well.
 *
 * Stacks deeper than WIRE_LEVELS_MAX keep at least their inner half; level 0 then stands for the
 * outer frames.
 */
#include "preload/python/python_walk.h"

#include <errno.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "assertion.h"
#include "preload/base/shim.h"
#include "preload/carrier/places.h"
#include "preload/carrier/ring_writer.h"
#include "preload/python/code_table.h"
#include "preload/python/python_frame.h"
#include "preload/python/python_layout.h"
#include "preload/python/python_thread.h"
#include "preload/python/stack_chunks.h"
#include "preload/python/thread_name.h"
#include "wire.h"

/* What one walk finds out. */
struct walk {
    struct thread_state *thread;
    uintptr_t state;     /* the thread's, as CPython has it */
    uint32_t floor;      /* levels below it are as remembered */
    uint32_t scanned;    /* levels from it up to the depth have been looked through for a frame */
    uint32_t depth;      /* levels of the new stack */
    uint32_t noted;      /* levels whose instruction differs, at the far end of thread->scratch */
    uint32_t changed;    /* levels that the reader has to be told, in thread->scratch, descending */
    bool number_changed; /* some of them have another code */
    bool failed;         /* a code object could not be announced */
};

static unsigned index_slot(uintptr_t frame)
{
    return (unsigned)(frame >> 4 ^ frame >> 11) & (LEVEL_INDEX_SLOTS - 1);
}

uintptr_t python_innermost_loop(const struct thread_state *thread)
{
    if (python_layout.rules.has_frame_holder) {
        uintptr_t state = python_thread_state();
        return state ? frame_load(state, python_layout.at.frame_holder) : 0;
    }
    for (uint32_t level = thread->depth; level-- > thread->bottom;)
        if (thread->levels[level].word & WIRE_ENTRY_BIT)
            return thread->walked[level].frame;
    return 0;
}

/* Looks up the stream's number of a frame's code; notes failure. */
static __attribute__((noinline)) uint32_t number_of(struct walk *walk, uintptr_t frame,
                                                    uintptr_t code)
{
    uint32_t number = code_table_number(frame, code);
    if (number == WIRE_CODE_NONE)
        walk->failed = true;
    return number;
}

/* For native stacks: does an evaluation loop begin with this frame? */
static uint64_t entry_bit(uintptr_t frame)
{
    return SHIM_UNLIKELY(shim_walks_native) && frame_is_entry(frame) ? WIRE_ENTRY_BIT : 0;
}

/* No instruction stands here: a level that has it is looked at again each time. */
#define INSTRUCTION_NOWHERE ((uintptr_t)1)

static inline __attribute__((always_inline)) bool is_compiled(uintptr_t frame)
{
    return SHIM_UNLIKELY(atomic_load_explicit(&code_is_compiled_somewhere, memory_order_relaxed)) &&
           frame_is_compiled(frame);
}

/* The word for a frame that is not internal; `known` is what its level's entry has, or 0 when that
 * is of another code. `*instruction` becomes what is to be remembered of it. */
static inline uint64_t word_of(struct walk *walk, uintptr_t frame, uintptr_t code,
                               uintptr_t *instruction, uint64_t known)
{
    bool visible;
    uint32_t offset = frame_offset(frame, code, *instruction, &visible);
    if (!visible)
        return 0;
    uint64_t number = known >> WIRE_CODE_SHIFT & WIRE_CODE_MASK;
    if (SHIM_UNLIKELY(number == WIRE_CODE_NONE))
        number = number_of(walk, frame, code);
    if (is_compiled(frame)) {
        offset = frame_line(frame);
        /* Up to 3.10 what is remembered as the instruction has the line in its other half. */
        if (!python_layout.rules.heap_frames)
            *instruction = INSTRUCTION_NOWHERE;
    }
    return number << WIRE_CODE_SHIFT | offset;
}

/* Up to 3.11 a frame may begin a loop where it did not before: when C code has called it again, or
 * throw() has come to an end. */
static inline bool loop_differs(const struct level *entry, uintptr_t frame)
{
    return ((entry->word & WIRE_ENTRY_BIT) != 0) != frame_is_entry(frame);
}

/* Is the reader to be told of this level, whose word this is? */
static inline bool is_news(const struct thread_state *thread, uint32_t level,
                           const struct level *entry, uint64_t word)
{
    return level >= thread->sent || entry->told != word;
}

/* Makes `level` describe `frame` as it stands in memory. */
static __attribute__((noinline)) void set_level(struct walk *walk, uint32_t level, uintptr_t frame)
{
    struct thread_state *thread = walk->thread;
    struct level *entry = &thread->levels[level];
    struct walked_frame *walked = &thread->walked[level];
    uintptr_t code = 0, instruction = frame_instruction(frame);
    uint64_t word = 0;
    if (!frame_is_internal(frame)) {
        code = frame_code(frame);
        bool is_known = level < thread->used && entry->code == code;
        if (is_known && walked->frame == frame && walked->instruction == instruction &&
            !(SHIM_UNLIKELY(shim_walks_native) && loop_differs(entry, frame)))
            return;
        word = word_of(walk, frame, code, &instruction, is_known ? entry->word : 0);
    }
    word |= entry_bit(frame);
    if (is_news(thread, level, entry, word))
        thread->scratch[walk->changed++] = level;
    walked->frame = frame;
    walked->instruction = instruction;
    entry->code = code;
    entry->word = word;
    thread->index[index_slot(frame)] = (uint16_t)level;
}

/* What is compared beside links and instructions. */
enum compared {
    NOTHING_ELSE = 0,
    CODE = 1,
    LOOP = 2,
};

/* Is the level that `at` points to not as remembered, with the next one below it? */
static inline __attribute__((always_inline)) bool
level_differs(const struct thread_state *thread, const struct walked_frame *at,
              uint32_t to_previous, uint32_t to_instruction, unsigned compared)
{
    uintptr_t frame = at->frame;
    const struct level *entry = &thread->levels[at - thread->walked];
    return frame_load(frame, to_previous) != at[-1].frame ||
           frame_load(frame, to_instruction) != at->instruction ||
           (compared & CODE && frame_code(frame) != entry->code) ||
           (compared & LOOP && loop_differs(entry, frame));
}

/*
 * The highest level from `level` down to `floor` that is not as remembered; -1: none. A level's
 * memory is read only once the level above has been seen to link to it, for a remembered frame may
 * be gone. The processor runs ahead through these branches, so the loads overlap all the same.
 */
static inline __attribute__((always_inline)) int32_t
find_difference_in(const struct thread_state *thread, int32_t level, uint32_t floor,
                   uint32_t to_previous, uint32_t to_instruction, unsigned compared)
{
    const struct walked_frame *at = &thread->walked[level];
    const struct walked_frame *bottom =
        &thread->walked[floor > thread->bottom ? floor - 1 : thread->bottom];
    for (; at - bottom >= 8; at -= 8) {
#pragma GCC unroll 8
        for (int32_t i = 0; i < 8; i++)
            if (SHIM_UNLIKELY(level_differs(thread, at - i, to_previous, to_instruction, compared)))
                return (int32_t)(at - thread->walked) - i;
    }
    for (; at > bottom; at--)
        if (SHIM_UNLIKELY(level_differs(thread, at, to_previous, to_instruction, compared)))
            return (int32_t)(at - thread->walked);
    if (floor > thread->bottom)
        return -1;
    /* What lies below a truncated stack's bottom is not compared. */
    bool links = thread->bottom || !frame_load(at->frame, to_previous);
    const struct level *entry = &thread->levels[thread->bottom];
    if (links && frame_load(at->frame, to_instruction) == at->instruction &&
        (!(compared & CODE) || frame_code(at->frame) == entry->code) &&
        (!(compared & LOOP) || !loop_differs(entry, at->frame)))
        return -1;
    return (int32_t)thread->bottom;
}

static int32_t find_difference(const struct thread_state *thread, int32_t level, uint32_t floor)
{
    if (SHIM_LIKELY(python_layout.is_as_since_3_12))
        return find_difference_in(thread, level, floor, PYTHON_PREVIOUS_SINCE_3_12,
                                  PYTHON_INSTRUCTION_SINCE_3_11, NOTHING_ELSE);
    const uint32_t previous = python_layout.at.previous, instruction = python_layout.at.instruction;
    if (python_layout.rules.heap_frames)
        return SHIM_UNLIKELY(shim_walks_native)
                   ? find_difference_in(thread, level, floor, previous, instruction, CODE | LOOP)
                   : find_difference_in(thread, level, floor, previous, instruction, CODE);
    if (SHIM_UNLIKELY(shim_walks_native))
        return find_difference_in(thread, level, floor, previous, instruction, LOOP);
    if (python_layout.is_as_in_3_11)
        return find_difference_in(thread, level, floor, PYTHON_PREVIOUS_IN_3_11,
                                  PYTHON_INSTRUCTION_SINCE_3_11, NOTHING_ELSE);
    return find_difference_in(thread, level, floor, previous, instruction, NOTHING_ELSE);
}

/* Puts scratch[0..count), leaf first, at the levels from `base` up. */
static void put_frames(struct walk *walk, uint32_t base, uint32_t count)
{
    /* Entries of scratch are used up before changed levels overwrite them. */
    for (uint32_t i = 0; i < count; i++)
        set_level(walk, base + count - 1 - i, walk->thread->scratch[i]);
}

/* Collects frames into scratch, leaf first, growing the arrays; at most `most`. */
static uint32_t collect_frames(struct thread_state *thread, uintptr_t *frame, uint32_t most)
{
    uint32_t count = 0;
    while (*frame && count < most) {
        if (count == thread->capacity && !thread_state_grow(thread))
            break;
        thread->scratch[count++] = *frame;
        *frame = frame_previous(*frame);
    }
    return count;
}

/* Level 0 of a truncated stack. */
static void set_truncated(struct walk *walk)
{
    struct thread_state *thread = walk->thread;
    struct level *entry = &thread->levels[0];
    thread->walked[0] = (struct walked_frame){0};
    entry->code = 0;
    entry->word = (uint64_t)WIRE_CODE_TRUNCATED << WIRE_CODE_SHIFT;
    if (is_news(thread, 0, entry, entry->word))
        thread->scratch[walk->changed++] = 0;
}

/* Levels from `base` up to the walk's depth have new frames. */
static inline void note_chunks(const struct walk *walk, uint32_t base)
{
    struct thread_state *thread = walk->thread;
    const struct stack_chunks *chunks = &thread->chunks;
    if (!atomic_load_explicit(&stack_chunks_are_kept, memory_order_relaxed) ||
        SHIM_LIKELY(chunks->current && base > chunks->marks[chunks->count - 1].floor))
        return;
    stack_chunks_note(thread, walk->state, base, walk->depth);
}

/* Walks everything from the leaf to the outermost frame, or to half of WIRE_LEVELS_MAX. */
static void walk_in_full(struct walk *walk, uintptr_t leaf)
{
    struct thread_state *thread = walk->thread;
    /* What an attempt before this one has changed is compared again with what the reader has. */
    walk->changed = 0;
    thread->used = 0;
    stack_chunks_void(thread);
    uint32_t count = collect_frames(thread, &leaf, WIRE_LEVELS_MAX / 2);
    thread->bottom = leaf != 0;
    if (thread->bottom && count == thread->capacity)
        count--; /* memory is short: make room for the mark */
    walk->depth = thread->bottom + count;
    put_frames(walk, thread->bottom, count);
    if (thread->bottom)
        set_truncated(walk);
    thread->used = walk->depth;
    note_chunks(walk, thread->bottom);
}

/* A remembered level for `frame`, which links to the one below as it did; false: none. Memory is
 * used again for other frames, so the address alone says little. */
static inline bool find_level(const struct thread_state *thread, uintptr_t frame, uint32_t *level)
{
    uint32_t at = thread->index[index_slot(frame)];
    *level = at;
    return at < thread->used && thread->walked[at].frame == frame &&
           (at <= thread->bottom || thread->walked[at - 1].frame == frame_previous(frame));
}

/* Levels of other frames that are looked through, where their order says nothing. */
#define STRANGERS_MAX 2u

/*
 * The index has room for few: a frame that others have displaced from it is not far below what has
 * been popped since. Of the frames of one chunk the upper ones are the later ones, so there a frame
 * below which none of the chunk's is remembered is a new one.
 */
static bool scan_for_level(struct walk *walk, uintptr_t frame, uint32_t *level)
{
    struct thread_state *thread = walk->thread;
    uintptr_t chunk = stack_chunks_uppermost(&thread->chunks);
    bool is_ordered = chunk && stack_chunk_has(chunk, frame);
    unsigned strangers = 0;
    for (uint32_t above = walk->scanned; above > walk->floor; above--) {
        uintptr_t other = thread->walked[above - 1].frame;
        walk->scanned = above;
        if (other == frame) {
            *level = above - 1;
            thread->index[index_slot(frame)] = (uint16_t)(above - 1);
            return find_level(thread, frame, level);
        }
        bool is_comparable = is_ordered && stack_chunk_has(chunk, other);
        if (is_comparable ? other < frame : ++strangers > STRANGERS_MAX)
            return false;
    }
    return false;
}

/* Does `level` still link to the one that is remembered below it? */
static bool link_holds(const struct thread_state *thread, uint32_t level, uintptr_t below)
{
    if (level > thread->bottom)
        return below == thread->walked[level - 1].frame;
    return thread->bottom || !below;
}

static inline bool is_to_be_compared(const struct walk *walk, int32_t level)
{
    return level >= (int32_t)walk->thread->bottom && level >= (int32_t)walk->floor;
}

static inline void note_level(struct walk *walk, int32_t level)
{
    struct thread_state *thread = walk->thread;
    thread->scratch[thread->capacity - ++walk->noted] = (uintptr_t)level;
}

/* As compare_levels(), from a level on that is not known to link to the one below. */
static int32_t compare_more_levels(struct walk *walk, int32_t at)
{
    struct thread_state *thread = walk->thread;
    while (is_to_be_compared(walk, at) && (at = find_difference(thread, at, walk->floor)) >= 0) {
        if (!link_holds(thread, (uint32_t)at, frame_previous(thread->walked[at].frame)))
            return at;
        note_level(walk, at--);
    }
    return -1;
}

/*
 * Compares levels `level`, which links to the one below as it did, and down with memory. Levels of
 * which only the instruction differs are noted at the far end of scratch. Returns the level whose
 * link is broken, -1 when all hold. The first has most often moved on, and the others have not.
 */
static int32_t compare_levels(struct walk *walk, uint32_t level)
{
    struct thread_state *thread = walk->thread;
    uintptr_t frame = thread->walked[level].frame;
    walk->noted = 0;
    if (level <= thread->bottom)
        return compare_more_levels(walk, (int32_t)level);
    if (frame_instruction(frame) != thread->walked[level].instruction)
        note_level(walk, (int32_t)level--);
    return compare_more_levels(walk, (int32_t)level);
}

/* Puts a frame that has no level yet behind the others in scratch. */
static bool collect_frame(struct thread_state *thread, uint32_t *count, uintptr_t frame)
{
    if (*count == thread->capacity && !thread_state_grow(thread))
        return false;
    thread->scratch[(*count)++] = frame;
    return true;
}

/*
 * Collects new frames, leaf first, down to one that is remembered together with all below it.
 * Frames that are remembered, but with others below, have moved to another depth: they count as
 * new. False: there is no such frame, or no room.
 */
static bool collect_to_remembered(struct walk *walk, uintptr_t frame, uint32_t *count,
                                  uint32_t *level)
{
    struct thread_state *thread = walk->thread;
    *count = 0;
    while (frame) {
        int32_t broken = -1;
        if (!find_level(thread, frame, level) && !scan_for_level(walk, frame, level)) {
            if (!collect_frame(thread, count, frame))
                return false;
            frame = frame_previous(frame);
            continue;
        }
        /* Somebody has jumped out of what stood above. */
        if (SHIM_UNLIKELY(*level < walk->floor)) {
            stack_chunks_void(thread);
            walk->floor = 0;
        }
        if ((broken = compare_levels(walk, *level)) < 0)
            return true;
        for (int32_t at = (int32_t)*level; at >= broken; at--)
            if (!collect_frame(thread, count, thread->walked[at].frame))
                return false;
        frame = frame_previous(thread->walked[broken].frame);
    }
    return false;
}

/* As find_level(), where it most often is. */
static inline bool find_innermost(const struct thread_state *thread, uintptr_t frame,
                                  uint32_t *level)
{
    *level = thread->depth - 1;
    return thread->walked[*level].frame == frame || find_level(thread, frame, level);
}

static inline bool links_as_before(const struct thread_state *thread, uint32_t level,
                                   uint32_t to_previous)
{
    return frame_load(thread->walked[level].frame, to_previous) == thread->walked[level - 1].frame;
}

/* Are all levels below `level` as remembered, but for the instruction of the uppermost of these? It
 * becomes *caller, or `level` itself where there is none that may have moved on. */
static inline __attribute__((always_inline)) bool
stands_as_before(const struct walk *walk, uint32_t level, uint32_t to_previous, uint32_t *caller)
{
    const struct thread_state *thread = walk->thread;
    if (level <= thread->bottom || level <= walk->floor ||
        !links_as_before(thread, level, to_previous))
        return false;
    bool has_caller = level - 1 > thread->bottom && level - 1 > walk->floor;
    *caller = level - has_caller;
    return (!has_caller || links_as_before(thread, *caller, to_previous)) &&
           find_difference_in(thread, (int32_t)*caller - 1, walk->floor, to_previous,
                              PYTHON_INSTRUCTION_SINCE_3_11, NOTHING_ELSE) < 0;
}

/* As set_level() of the frame that is remembered there, by the shortest way. */
static inline __attribute__((always_inline)) void move_on(struct walk *walk, uint32_t level)
{
    struct thread_state *thread = walk->thread;
    struct level *entry = &thread->levels[level];
    struct walked_frame *walked = &thread->walked[level];
    uintptr_t frame = walked->frame, code;
    uintptr_t instruction = frame_load(frame, PYTHON_INSTRUCTION_SINCE_3_11);
    bool visible;
    if (instruction == walked->instruction)
        return;
    if (frame_is_internal(frame) || (code = frame_code(frame)) != entry->code ||
        entry->word < (uint64_t)WIRE_CODE_FIRST << WIRE_CODE_SHIFT || is_compiled(frame)) {
        set_level(walk, level, frame);
        return;
    }
    uint64_t word = entry->word & ~WIRE_INSTRUCTION_MASK;
    word |= frame_offset_in_code(frame, code, instruction, &visible);
    entry->word = word = visible ? word : word & WIRE_ENTRY_BIT;
    walked->instruction = instruction;
    if (is_news(thread, level, entry, word))
        thread->scratch[walk->changed++] = level;
}

/*
 * What is most often found, by the shortest way: a remembered frame is the innermost one, or a new
 * one has come to stand on it; it and its caller have moved on, and nothing below has. False, and
 * nothing is changed: it is otherwise, or may be.
 */
static inline __attribute__((always_inline)) bool walk_quickly_in(struct walk *walk, uintptr_t leaf,
                                                                  uint32_t to_previous)
{
    struct thread_state *thread = walk->thread;
    uint32_t level, caller;
    bool is_new = false;
    if (SHIM_UNLIKELY(!thread->depth))
        return false;
    if (!find_innermost(thread, leaf, &level)) {
        is_new = true;
        if (!find_innermost(thread, frame_load(leaf, to_previous), &level) ||
            level + 1 >= thread->capacity)
            return false;
    }
    if (!stands_as_before(walk, level, to_previous, &caller))
        return false;
    walk->depth = level + 1;
    if (is_new)
        set_level(walk, walk->depth++, leaf);
    move_on(walk, level);
    if (caller != level)
        move_on(walk, caller);
    if (thread->used < walk->depth)
        thread->used = walk->depth;
    if (is_new || SHIM_UNLIKELY(!thread->chunks.current))
        note_chunks(walk, level + 1);
    return true;
}

/* In 3.11 loops may begin elsewhere than before, which native stacks must know. Up to 3.10 there is
 * no such way. */
static inline __attribute__((always_inline)) bool walk_quickly(struct walk *walk, uintptr_t leaf)
{
    if (SHIM_LIKELY(python_layout.is_as_since_3_12))
        return walk_quickly_in(walk, leaf, PYTHON_PREVIOUS_SINCE_3_12);
    return python_layout.is_as_in_3_11 && !shim_walks_native &&
           walk_quickly_in(walk, leaf, PYTHON_PREVIOUS_IN_3_11);
}

/* Walks new frames and mends what is remembered. False: it has to be walked in full. */
static __attribute__((noinline)) bool walk_to_remembered(struct walk *walk, uintptr_t leaf)
{
    struct thread_state *thread = walk->thread;
    uint32_t count, level;
    if (!collect_to_remembered(walk, leaf, &count, &level))
        return false;
    walk->depth = level + 1 + count;
    /* Notes must not be overwritten by changes before they are read. */
    uint32_t needed = walk->depth + walk->noted;
    if (needed > thread->capacity) {
        while (needed > thread->capacity && thread_state_grow(thread))
            ;
        return false; /* what was noted is gone */
    }
    uint32_t noted = walk->noted;
    const uintptr_t *notes = thread->scratch + thread->capacity;
    put_frames(walk, level + 1, count);
    for (uint32_t i = 1; i <= noted; i++)
        set_level(walk, (uint32_t)notes[-(ptrdiff_t)i], thread->walked[notes[-(ptrdiff_t)i]].frame);
    if (thread->used < walk->depth)
        thread->used = walk->depth;
    if (count || !thread->chunks.current)
        note_chunks(walk, level + 1);
    return true;
}

static bool send_thread(const struct thread_state *thread)
{
    int saved = errno;
    uint64_t tid = shim_is_sealed() ? 0 : (uint64_t)syscall(SYS_gettid) & WIRE_THREAD_ID_MASK;
    errno = saved;
    place_tell(WIRE_PLACE_STACK, (uintptr_t)&saved, 1);
    return ring_send_word(wire_first(WIRE_THREAD) |
                          (uint64_t)thread->slot << WIRE_THREAD_SLOT_SHIFT | tid);
}

/* Sends levels low..low+count-1 and the depth. */
static bool send_levels(struct thread_state *thread, uint32_t low, uint32_t count, uint32_t depth)
{
    uint64_t position;
    if (!ring_reserve(1 + count, &position))
        return false;
    for (uint32_t i = 0; i < count; i++) {
        struct level *level = &thread->levels[low + i];
        ring_put(position + 1 + i, level->word);
        level->told = level->word;
    }
    ring_publish(position, wire_first(WIRE_STACK) |
                               (uint64_t)thread->slot << WIRE_STACK_THREAD_SHIFT |
                               (uint64_t)count << WIRE_STACK_COUNT_SHIFT |
                               (uint64_t)low << WIRE_STACK_LEVEL_SHIFT | depth);
    return true;
}

/* Sends all changed levels, a record for each row of neighbours. */
static bool send_changes(const struct walk *walk)
{
    struct thread_state *thread = walk->thread;
    const uintptr_t *changed = thread->scratch;
    if (walk->changed == 0)
        return send_levels(thread, 0, 0, walk->depth);
    for (uint32_t from = 0; from < walk->changed;) {
        uint32_t to = from + 1;
        while (to < walk->changed && changed[to] + 1 == changed[to - 1] &&
               to - from < RING_RECORD_LEVELS_MAX)
            to++;
        if (!send_levels(thread, (uint32_t)changed[to - 1], to - from, walk->depth))
            return false;
        from = to;
    }
    return true;
}

static bool fits_allocation(const struct walk *walk, int32_t depth_change)
{
    if (depth_change < -WIRE_DEPTH_CHANGE_BIAS || depth_change >= WIRE_DEPTH_CHANGE_BIAS)
        return false;
    if (walk->changed == 0)
        return true;
    const struct thread_state *thread = walk->thread;
    const struct level *leaf = &thread->levels[walk->depth - 1];
    return walk->changed == 1 && thread->scratch[0] + 1 == walk->depth &&
           walk->depth <= thread->sent &&
           (leaf->word >> WIRE_CODE_SHIFT & WIRE_CODE_MASK) != WIRE_CODE_NONE &&
           leaf->word >> WIRE_CODE_SHIFT == leaf->told >> WIRE_CODE_SHIFT;
}

/* May the reader lack what it was told? */
static bool has_lost(const struct thread_state *thread)
{
    return thread->lost != atomic_load_explicit(&ring_writer.lost, memory_order_relaxed);
}

/* Tells the reader, in the update or by records of its own. */
static bool tell_changes(const struct walk *walk, struct stack_update *update)
{
    struct thread_state *thread = walk->thread;
    int32_t depth_change = (int32_t)walk->depth - (int32_t)thread->depth;
    if (SHIM_LIKELY(fits_allocation(walk, depth_change))) {
        update->depth_change = depth_change;
        update->instruction_changed = walk->changed != 0;
        if (walk->changed) {
            struct level *leaf = &thread->levels[walk->depth - 1];
            update->instruction = (uint32_t)(leaf->word & WIRE_INSTRUCTION_MASK);
            leaf->told = leaf->word;
        }
    } else if (!send_changes(walk) || has_lost(thread)) {
        return false;
    } else if (SHIM_UNLIKELY(thread->name_tries)) {
        thread_name_tell(thread, walk->depth);
    }
    thread->depth = walk->depth;
    if (thread->sent < walk->depth)
        thread->sent = walk->depth;
    return true;
}

/* What is true of a thread's levels between two walks. */
static bool levels_hold(const struct thread_state *thread)
{
    return thread->bottom <= 1 && thread->depth <= thread->used && thread->depth <= thread->sent &&
           thread->used <= thread->capacity && thread->sent <= thread->capacity &&
           thread->capacity <= WIRE_LEVELS_MAX;
}

/* Has the reader the words of all levels? */
static bool levels_are_told(const struct thread_state *thread)
{
    for (uint32_t level = 0; level < thread->depth; level++)
        if (thread->levels[level].told != thread->levels[level].word)
            return false;
    return true;
}

/* The thread-local data of a libpython that came by dlopen() is allocated when it is first asked
 * for. */
static void touch_thread_local_data(void)
{
    uintptr_t guard = shim_guard_set_library();
    if (python_layout_is_known())
        python_thread_state();
    shim_guard_set(guard);
}

/* Makes the reader's picture of this thread empty. */
static bool start_over(struct thread_state *thread)
{
    touch_thread_local_data();
    thread->lost = atomic_load_explicit(&ring_writer.lost, memory_order_relaxed);
    thread->used = 0;
    thread->sent = 0;
    thread->depth = 0;
    thread->bottom = 0;
    thread->native_is_void = true;
    thread->resend = !send_thread(thread);
    thread->name_tries = thread_name_tries();
    return !thread->resend;
}

/* Numbers of dead code are used again: the same word may now mean another code. */
static bool follow_epoch(struct thread_state *thread, uint32_t epoch)
{
    thread->epoch = epoch;
    thread->used = 0;
    thread->sent = 0;
    return !has_lost(thread) || start_over(thread);
}

void python_stack_update(struct thread_state *thread, struct stack_update *update)
{
    *update = (struct stack_update){0};
    if (SHIM_UNLIKELY(thread->resend) && !start_over(thread))
        return;
    if (!python_layout_is_known())
        return;
    uintptr_t state = python_thread_state();
    if (!state)
        return;
    uint32_t epoch = atomic_load_explicit(&code_epoch, memory_order_relaxed);
    if (SHIM_UNLIKELY(epoch != thread->epoch) && !follow_epoch(thread, epoch))
        return;
    struct walk walk = {.thread = thread,
                        .state = state,
                        .floor = stack_chunks_floor(thread, state),
                        .scanned = thread->depth};
    uintptr_t leaf = python_thread_frame(state);
    if (leaf && !walk_quickly(&walk, leaf) && !walk_to_remembered(&walk, leaf))
        walk_in_full(&walk, leaf);
    if (SHIM_UNLIKELY(walk.failed) || !tell_changes(&walk, update)) {
        thread->resend = true;
        return;
    }
    ASSERT(levels_hold(thread));
    ASSERT_SLOWLY(levels_are_told(thread));
    update->known = true;
}
