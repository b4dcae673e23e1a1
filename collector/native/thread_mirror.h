/*
 * The reader's copy of a thread's levels: what it has told of its Python stack, and of its native
 * one. Levels above the depth stay, and count again when the frames come back. One thread.
 */
#ifndef HEAPLINE_COLLECTOR_THREAD_MIRROR_H
#define HEAPLINE_COLLECTOR_THREAD_MIRROR_H

#include <stdbool.h>
#include <stdint.h>

#include "collector/base/thread_identity.h"
#include "collector/native/native_mirror.h"

struct mirror_level {
    uint32_t code;     /* 0: no Python frame */
    uint32_t location; /* 0 when code is */
    uint32_t node;     /* of the stack up to this level */
    uint32_t loops;    /* with native stacks: evaluation loops up to this level */
    bool is_entry;     /* one begins with it */
};

#define MIRROR_DOUBTED (UINT32_C(1) << 30) /* no depth that is known */

struct thread_mirror {
    struct thread_identity who;
    uint32_t depth; /* or MIRROR_DOUBTED: what the thread has told of its stack may be lost */
    uint32_t doubted_depth;
    uint32_t valid; /* levels whose node is right */
    uint32_t known; /* levels that have been sent */
    uint32_t capacity;
    struct mirror_level *levels;
    bool is_merged; /* the nodes are those of merged stacks */
    struct native_mirror native;
};

/* Of the levels that there is room for some have been sent, and of those some have their node; none
 * that counts is unknown. */
static inline bool thread_mirror_is_sound(const struct thread_mirror *thread)
{
    return thread->valid <= thread->known && thread->known <= thread->capacity &&
           (thread->depth <= thread->known || thread->depth == MIRROR_DOUBTED);
}

/* Makes room for `levels` levels. False: no memory. */
bool thread_mirror_reserve(struct thread_mirror *thread, uint32_t levels);
/* Its stack is empty, and nothing is known of it. */
void thread_mirror_restart(struct thread_mirror *thread);
/* Accepts and returns null. */
struct thread_mirror *thread_mirror_free(struct thread_mirror *thread);

#endif
