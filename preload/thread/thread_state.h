/*
 * What the shim keeps for a thread: its slot in the stream and the stack that the reader knows.
 *
 * The arrays mirror the reader's (see schema/wire.h): level 0 is the outermost frame. Entries at
 * and above `depth` are stale and may count again. All of it belongs to the one thread; the list of
 * free states is under a lock. A state is given back by a TSD destructor and taken again when the
 * thread allocates later still, in other destructors. A thread has further ones for what its signal
 * handlers do while they interrupt the use of the first, and of those.
 */
#ifndef HEAPLINE_PRELOAD_THREAD_STATE_H
#define HEAPLINE_PRELOAD_THREAD_STATE_H

#include <stdbool.h>
#include <stdint.h>

#define LEVEL_INDEX_SLOTS 256u
#define LEVELS_AT_FIRST   64u

/* A level has two parts, in arrays of their own: what every walk compares lies dense. */
struct walked_frame {
    uintptr_t frame;
    uintptr_t instruction; /* as it lies in the frame, all eight bytes */
};

struct level {
    uintptr_t code; /* code object, 0: none */
    uint64_t word;  /* code and instruction as a STACK record has them */
    uint64_t told;  /* the word that the reader has for this level */
};

/* Where the levels of a chunk of frames begin (python/stack_chunks.h). */
struct stack_mark {
    uintptr_t chunk, previous; /* which it is linked to */
    uint32_t floor;            /* no level of it is below */
    uint32_t loop; /* the uppermost level up to there that stands on a frame of the interpreter's
                    * own; 0: none does */
};

/* 64 times 16 KiB of frames are thousands. */
#define STACK_MARKS_MAX 64u

struct stack_chunks {
    uintptr_t current; /* of the last look, where that is the uppermost mark's; else 0 */
    uintptr_t state;   /* the thread state that the marks are of */
    uint32_t floor;    /* levels below need no look as long as `current` is the chunk */
    uint32_t count;
    struct stack_mark marks[STACK_MARKS_MAX]; /* outermost first */
};

struct native_state; /* native_walk.c */

struct thread_state {
    uint32_t slot;
    uint32_t depth;    /* as the reader knows it */
    uint32_t capacity; /* of walked, levels and scratch */
    uint32_t used;     /* levels below: frame, instruction and code are those of the last walk */
    uint32_t sent;     /* levels below: the reader has a word for them */
    uint32_t epoch;    /* of the code table when `used` was last right */
    uint32_t lost;     /* ring_writer.lost when all was told anew */
    uint32_t bottom;   /* 1: level 0 stands for outer frames that are left out; else 0 */
    bool resend;       /* the reader's array is not to be relied on, nor that it knows the thread */
    uint8_t name_tries; /* how often its name may still be asked for; 0: it has been told, or need
                         * not be */
    struct walked_frame *walked;
    struct level *levels;
    uintptr_t *scratch;                /* frames on their way into levels, then changed levels */
    uint16_t index[LEVEL_INDEX_SLOTS]; /* by frame address: a level where it may be */
    struct stack_chunks chunks;
    struct native_state *native; /* null before the first native stack */
    bool native_is_void;         /* what it says is of another reader, or another thread */
    struct thread_state *next_free;
};

/* Creates the TSD key. Once, at start. `at_end` runs when a thread ends that expects it, and is to
 * give back what it has. False: no key is left. */
bool thread_state_init(void (*at_end)(void *nothing));

/* The calling thread's end is to be told; asked by whoever has something to give back then. */
void thread_state_expect_end(void);

/* Gives back the calling thread's states. */
void thread_state_give_back(void);

/* Makes the calling thread's state number `which` (below SHIM_STATES): shim_thread.states. Null
 * when there is no slot or no memory left. */
struct thread_state *thread_state_acquire(unsigned which);

/* What its reader knows is told anew: it has been left half changed. */
void thread_state_forget(struct thread_state *thread);

/* Doubles the arrays, up to WIRE_LEVELS_MAX. False: not possible. */
bool thread_state_grow(struct thread_state *thread);

/* Held over a fork, so that the child finds everything whole. */
void thread_state_lock(void);
void thread_state_unlock(void);

/* In a forked child, whose one thread this is: its reader knows nothing of it. */
void thread_state_reset(void);

#endif
