/*
 * Which remembered levels need no look: those below the chunk that frames are pushed on.
 *
 * From 3.11 on the frames of functions lie in chunks of memory (16 KiB or more, _PyStackChunk of
 * CPython's headers), each above the one that was full. No frame is executed while another stands
 * above it, so to get at one in a lower chunk everything in the upper ones has to be popped; and a
 * chunk whose first frame is popped is freed by the thread that it belongs to. Its end is told by
 * whoever sees the arena allocator (stack_chunks_forget). So as long as a chunk is there, the
 * levels below its lowest are as they were. This holds for frames that lie elsewhere too (of
 * generators, and the interpreter's own): they keep the same order.
 *
 * A *mark* says of a chunk where its levels begin: at `floor` or above it. One level lower than its
 * lowest frame, for the caller's instruction moves on between the push and the link; and where a
 * frame comes to stand below that, because it was pushed and not yet linked when Python ran above
 * it (a subclass of str as a keyword, a collection while arguments are bound), the mark is lowered.
 * A chunk in which no frame is linked yet has no mark. Marks lie above one another as their chunks
 * do; what is not linked to the current chunk is another stack's (greenlets, sub-interpreters). A
 * stack that stands on frames of another one has no marks.
 *
 * From 3.13 on (gh-142183, in its later patches) a thread keeps the chunk that was popped last, and
 * pushes it again without a call. It keeps one: between two looks no more than the uppermost can
 * have gone unseen, and what lies below the next lower mark stands all the same. Another stack of
 * the thread may have taken it: what it is linked to is looked at too.
 *
 * Greenlets link the frames of a stack past the interpreter's own as long as it waits, and allocate
 * meanwhile (greenlet 1.1 and later, with 3.12 and later). They do so with all of a stack, so one
 * such frame below the floor is looked at too; where that was done once, there are no marks any
 * more.
 *
 * All this is set aside once a thread is traced, for then any frame's line may be set, also another
 * thread's, and once somebody else allocates arenas. It needs no mark in the program's memory. A
 * thread state of another chunk layout than is known (python_versions.h) has no marks: all levels
 * are looked at.
 *
 * Each thread has its own; frees in signal handlers are the handlers' thread's.
 */
#ifndef HEAPLINE_PRELOAD_STACK_CHUNKS_H
#define HEAPLINE_PRELOAD_STACK_CHUNKS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "preload/base/shim.h"
#include "preload/python/python_frame.h"
#include "preload/python/python_layout.h"
#include "preload/thread/thread_state.h"

/* Are marks kept? From stack_chunks_begin() on, until they have been given up for good. */
extern _Atomic bool stack_chunks_are_kept;

/* Arenas come and go through the shim's hooks as long as `are_seen` says so. Once, after
 * python_layout_init(). */
void stack_chunks_begin(bool (*are_seen)(void));

/* A piece of memory that is an arena or a chunk is given back by this thread. */
void stack_chunks_forget(uintptr_t chunk);

/* The thread's levels are all made anew. */
void stack_chunks_void(struct thread_state *thread);

/* Where the chunk is another one than at the last look: which marks and which floor still count. */
void stack_chunks_follow(struct thread_state *thread, uintptr_t state);

/* Where there is a floor: gives the marks up when links have been changed among frames that wait,
 * or somebody has put another allocator of arenas in the place of ours. */
void stack_chunks_doubt(struct thread_state *thread);

/* After a walk, as long as marks are kept: levels from `base` up to the depth have new frames.
 * Where the chunk and the marks are as before and `base` is above the uppermost mark's floor there
 * is nothing to note. */
void stack_chunks_note(struct thread_state *thread, uintptr_t state, uint32_t base, uint32_t depth);

/* Is a trace function set, or does one run, or a callback of sys.monitoring? */
static inline bool stack_chunks_may_jump(uintptr_t state)
{
    return frame_load(state, python_layout.at.thread_trace_function) |
           *(const uint32_t *)(state + python_layout.at.thread_tracing);
}

/* Does the frame lie in the chunk? Of struct _stack_chunk: previous, size, top, data. */
static inline bool stack_chunk_has(uintptr_t chunk, uintptr_t frame)
{
    return frame - chunk < frame_load(chunk, 8);
}

static inline uintptr_t stack_chunk_previous(uintptr_t chunk)
{
    return frame_load(chunk, 0);
}

/* The uppermost mark's chunk; 0: there is none. */
static inline uintptr_t stack_chunks_uppermost(const struct stack_chunks *chunks)
{
    return atomic_load_explicit(&stack_chunks_are_kept, memory_order_relaxed) && chunks->count
               ? chunks->marks[chunks->count - 1].chunk
               : 0;
}

static inline bool stack_chunks_are_as_before(const struct stack_chunks *chunks, uintptr_t state)
{
    return chunks->current && frame_load(state, python_layout.at.thread_chunk) == chunks->current &&
           stack_chunk_previous(chunks->current) == chunks->marks[chunks->count - 1].previous &&
           chunks->state == state && !stack_chunks_may_jump(state);
}

/* Levels below this one are as remembered. 0: it is not known of any. */
static inline uint32_t stack_chunks_floor(struct thread_state *thread, uintptr_t state)
{
    const struct stack_chunks *chunks = &thread->chunks;
    if (!atomic_load_explicit(&stack_chunks_are_kept, memory_order_relaxed))
        return 0;
    /* Most stacks lie in one chunk: then all is looked at, and nothing need be known. */
    if (SHIM_LIKELY(!chunks->floor &&
                    frame_load(state, python_layout.at.thread_chunk) == chunks->current &&
                    !stack_chunks_may_jump(state)))
        return 0;
    if (SHIM_UNLIKELY(!stack_chunks_are_as_before(chunks, state)))
        stack_chunks_follow(thread, state);
    if (SHIM_UNLIKELY(chunks->floor))
        stack_chunks_doubt(thread);
    return chunks->floor;
}

#endif
