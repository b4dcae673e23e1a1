/*
 * What a process has said of itself in its stream, as far as it is needed to understand what it
 * says next: its threads' levels, its numbers of code, and what has come in part.
 *
 * States: certain; doubted, for a thread whose words may have been passed over (MIRROR_DOUBTED),
 * until it tells all anew. One thread.
 */
#ifndef HEAPLINE_COLLECTOR_MIRROR_H
#define HEAPLINE_COLLECTOR_MIRROR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "collector/base/vector.h"
#include "collector/book/live_heap.h"
#include "collector/book/mapping_events.h"
#include "collector/native/native_space.h"
#include "collector/native/thread_mirror.h"
#include "lifetime.h"
#include "wire.h"

/* What comes in several records. */
struct arriving {
    uint32_t code; /* in the stream; WIRE_CODE_NONE: nothing is on its way */
    struct vector data;
    size_t bytes;
};

/* What is known of a block when it is freed. */
struct death {
    bool temporary;
    struct lifetime lifetime; /* where history is kept */
    uint64_t touched;         /* bytes */
};

/* A block taken out at the start of a realloc that may yet fail. */
struct pending_realloc {
    bool found;
    uint64_t made; /* blocks of the process, before it */
    struct death death;
    struct block block;
};

struct mirror {
    struct thread_mirror *slots[WIRE_THREAD_SLOTS]; /* null: nobody has been there */
    struct native_space native;
    struct vector code_numbers; /* uint32_t: number in the stream → number in codes */
    uint32_t code_numbers_count;
    uint64_t doubted_until; /* the words of who has not written before here were passed over */
    struct arriving description, text; /* of a code; of the file that it names */
    struct pending_realloc pending[WIRE_REALLOC_THREAD_MASK + 1];
    struct pending_unmap unmaps[WIRE_REALLOC_THREAD_MASK + 1];
    uint64_t now_ns; /* of the latest TIME record, CLOCK_MONOTONIC */
    uint32_t python_version;
    bool stacks_unreadable;
    bool executes; /* it has said that another program takes its place, and nothing since */
};

/* Zeroed memory is one that has said nothing; its native.peer is to be set. Once more does nothing.
 */
void mirror_deinit(struct mirror *mirror);

/* The words before `until` were reserved when some were passed over that nobody had published: who
 * they were of is not known, but whoever has written since. The others tell all anew. */
void mirror_doubt(struct mirror *mirror, uint64_t until);

#endif
