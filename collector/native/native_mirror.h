/*
 * The reader's copy of a thread's native levels, and of the chains that it has told (CHAIN in
 * schema/wire.h). How far the nodes in it are right is native_stack.h's to say. One thread.
 */
#ifndef HEAPLINE_COLLECTOR_NATIVE_MIRROR_H
#define HEAPLINE_COLLECTOR_NATIVE_MIRROR_H

#include <stdbool.h>
#include <stdint.h>

#include "wire.h"

struct native_mirror_level {
    uint64_t address; /* 0: not known */
    uint32_t frames;  /* native_frames.h; 0: not asked for yet */
    uint32_t told;    /* how many modules the process had told of then */
    uint32_t node;    /* of the merged stack up to this level */
    uint16_t loops;
    bool is_loop;
    bool is_interpreter;
};

/* The levels above an evaluation loop's that have the nodes which they have on top of `parent`. */
struct native_above_loop {
    uint32_t level; /* the loop's */
    uint32_t valid; /* those below this one; not more than level + 1: none */
    uint32_t parent;
};

struct native_chain {
    uint64_t identity; /* of this meaning, in the whole run; 0: it has none yet */
    uint16_t loops;    /* below its first frame, which is an evaluation loop's */
    uint16_t count;
    uint16_t valid; /* so many of its levels have the nodes that they have on top of `parent` */
    uint32_t parent;
    struct native_mirror_level *levels; /* room for WIRE_CHAIN_LEVELS_MAX, null before the first */
};

struct native_mirror {
    uint32_t depth;
    uint32_t told;  /* how many modules the process had told of when names were asked for last */
    uint32_t valid; /* levels whose node is right */
    /* When the nodes were made: */
    uint32_t loops;                      /* those of the Python stack, */
    int32_t hidden;                      /* how many of them the native one does not have, */
    bool is_cut;                         /* whether what is outside of the first is left out, */
    uint32_t python_count, native_count; /* and levels of both */
    uint32_t
        changed_loops; /* the fewest loops of a level that has changed since, before or after */
    uint32_t capacity;
    struct native_mirror_level *levels;
    struct native_chain *chains;    /* native_chains.h */
    struct native_chain *top;       /* the innermost levels are this chain's; null: unknown */
    uint32_t top_level;             /* the first of them */
    struct native_above_loop above; /* nodes for the next chain */
};

void native_mirror_deinit(struct native_mirror *mirror);

/* False: memory is short. */
bool native_mirror_reserve(struct native_mirror *mirror, uint32_t levels);
/* Applies a level of a NATIVE record (its payload). */
void native_mirror_set(struct native_mirror *mirror, uint32_t level, uint64_t payload);

/* Sets a level. */
void native_mirror_put(struct native_mirror *mirror, uint32_t level,
                       const struct native_mirror_level *put);
/* Levels from `level` up are about to become others, with at least so many loops. */
void native_mirror_change(struct native_mirror *mirror, uint32_t level, uint32_t loops);

/* Makes the nodes void. */
void native_mirror_forget(struct native_mirror *mirror);

#endif
