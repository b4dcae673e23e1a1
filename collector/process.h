/*
 * One traced process: its ring, its threads' stacks, its live heap and sums.
 *
 * States: running; ended (its pidfd says so, or another program has taken its place by exec, or its
 * stream has ended and nobody has gone on with it); finished (drained to the last word, its rows
 * written). One thread owns all processes.
 */
#ifndef HEAPLINE_COLLECTOR_PROCESS_H
#define HEAPLINE_COLLECTOR_PROCESS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "book.h"
#include "codes.h"
#include "endings.h"
#include "ledger.h"
#include "lineage.h"
#include "mapping_events.h"
#include "made_code.h"
#include "mappings.h"
#include "native_frames.h"
#include "native_stack.h"
#include "peer.h"
#include "perf_map.h"
#include "ring_end.h"
#include "stack_tree.h"
#include "vector.h"
#include "wire.h"

/* What all processes of a run share. */
struct run {
    uint64_t started_ns; /* CLOCK_MONOTONIC */
    uint64_t clock_ns;   /* what it was lately; no stream is ahead of it by much; 0: any may be */
    double started;      /* Unix time */
    uint32_t frames_max; /* innermost frames that a stack keeps; 0: all */
    uint32_t truncated;  /* location for the outer frames of a truncated stack; 0: not yet made */
    struct codes codes;
    struct stack_tree tree;
    struct native_table native;
    struct ledger ledger;
    struct endings endings;
    struct lineages lineages;
    void (*while_waiting)(void *context); /* called about every millisecond while names are waited
                                           * for; may be null */
    void *waiting_context;
    bool has_no_children; /* nobody wants what they inherit */
};

bool run_init(struct run *run);
void run_deinit(struct run *run);
double run_seconds(const struct run *run, uint64_t monotonic_ns);

struct mirror_level {
    uint32_t code;     /* 0: no Python frame */
    uint32_t location; /* 0 when code is */
    uint32_t node;     /* of the stack up to this level */
    uint32_t loops;    /* with native stacks: evaluation loops up to this level */
    bool is_entry;     /* one begins with it */
};

/* The reader's copy of a thread's levels. */
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
};

/* A block taken out at the start of a realloc that may yet fail. */
struct pending_realloc {
    bool found;
    struct death death;
    struct block block;
};

struct process {
    struct peer peer;
    struct ring_end ring;
    uint64_t snapshot_position, snapshot_ns; /* when the recording was brought up to date last */

    struct thread_mirror *mirrors[WIRE_THREAD_SLOTS];
    struct native_ranges modules;
    struct made_code made_code; /* what it has told debuggers of code that it made, */
    struct perf_map perf_map;   /* and what profilers */
    struct vector code_numbers; /* uint32_t: number in the stream → number in run->codes */
    uint32_t code_numbers_count;
    uint64_t doubted_until; /* the words of who has not written before here were passed over */
    struct arriving description, text; /* of a code; of the file that it names */

    struct book book;
    struct pending_realloc pending[WIRE_REALLOC_THREAD_MASK + 1];
    struct pending_unmap unmaps[WIRE_REALLOC_THREAD_MASK + 1];

    uint64_t now_ns; /* of the latest TIME record, CLOCK_MONOTONIC */
    uint32_t python_version;
    bool stacks_unreadable;

    bool executes; /* it has said that another program takes its place, and nothing since */
};

/* Makes a process with a fresh ring, whose descriptors are the caller's to close. With a stream
 * there are none (-1), and the arrival's connection is taken over. Null when memory or descriptors
 * are short. */
struct process *process_new(struct run *run, const struct arrival *arrival,
                            const struct ring_plan *plan, int parts[RING_PARTS]);
/* It has ended and been read to the last word: closes and frees all that is not needed for writing
 * its rows, or by those who inherit. */
void process_retire(struct process *process);

/* Closes everything; accepts and returns null. */
struct process *process_free(struct process *process);

/* Has it ended, or, where that cannot be seen, closed its stream? */
bool process_has_ended(const struct process *process);

/* Has another program taken its place, after it had said so? */
bool process_is_replaced(const struct process *process);

/* Events that are not in the recording, as far as is known. */
static inline uint64_t process_lost(const struct process *process)
{
    return process->book.damaged + process->peer.looks.refused + ring_end_dropped(&process->ring);
}

/* The thread in a slot, made when it was never announced; null when memory is short. */
struct thread_mirror *process_thread(struct run *run, struct process *process, uint32_t slot);
/* A slot has a new owner. */
void process_thread_begin(struct run *run, struct process *process, uint32_t slot, uint32_t tid);
/* What Python calls the thread in a slot; what it has done so far may count under another one's
 * number, where it had that. */
void process_name_thread(struct run *run, struct process *process, uint32_t slot, const char *name);
/* The words before `until` were reserved when some were passed over that nobody had published: who
 * they were of is not known, but whoever has written since. The others tell all anew. */
void process_doubt_stacks(struct process *process, uint64_t until);
/* Makes room for `levels` levels. */
bool thread_mirror_reserve(struct thread_mirror *thread, uint32_t levels);

#endif
