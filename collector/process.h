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

#include "absence.h"
#include "chunk.h"
#include "codes.h"
#include "counters.h"
#include "ended_threads.h"
#include "endings.h"
#include "history_queue.h"
#include "lineage.h"
#include "live_heap.h"
#include "mapping_events.h"
#include "made_code.h"
#include "mappings.h"
#include "native_frames.h"
#include "native_stack.h"
#include "peer.h"
#include "perf_map.h"
#include "ring_end.h"
#include "run_peak.h"
#include "samples.h"
#include "slices.h"
#include "stack_tree.h"
#include "vector.h"
#include "wire.h"

/* What all processes of a run share. */
struct run {
    uint64_t started_ns;   /* CLOCK_MONOTONIC */
    uint64_t clock_ns;     /* what it was lately; no stream is ahead of it by much; 0: any may be */
    double started;        /* Unix time */
    uint32_t frames_max;   /* innermost frames that a stack keeps; 0: all */
    uint32_t thread_count; /* threads numbered so far */
    uint32_t truncated;    /* location for the outer frames of a truncated stack; 0: not yet made */
    struct codes codes;
    struct stack_tree tree;
    struct native_table native;
    struct chunk_writer chunk;        /* for checkpoints and history */
    struct inheritance *inheritances; /* of children that have not said hello yet; oldest first */
    struct inheritance **last_inheritance; /* the end of that list, where it is not empty */
    uint32_t inheritance_count;
    uint64_t forked_ns; /* when one of the processes forked last (clock_now()) */
    struct run_peak peak;
    struct endings endings;
    struct absences absences;
    struct lineages lineages;
    void (*while_waiting)(void *context); /* called about every millisecond while names are waited
                                           * for; may be null */
    void *waiting_context;
    bool keeps_history;
    bool has_no_children; /* nobody wants what they inherit */
    bool history_short;   /* some process's history ends early for want of memory */
    bool memory_short;    /* something was not counted for want of memory */
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
    uint32_t number; /* thread.id in the recording */
    uint32_t row;    /* in process.threads */
    uint32_t tid;
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

/* What a thread has unmapped last, which may yet fail. */
struct pending_unmap {
    struct address_range range;
    uint32_t cut; /* the list (mappings.h) */
};

/* The composition of the heap at the end of the program's own code. */
struct end_entry {
    uint32_t counter;
    uint32_t blocks;
    uint64_t bytes;
};

struct thread_row {
    uint32_t number;
    uint32_t tid;   /* the first one's, where several have had the number one after the other */
    bool is_shared; /* several have */
    char name[THREAD_NAME_BYTES];
};

struct process {
    struct peer peer;
    struct ring_end ring;
    uint64_t snapshot_position, snapshot_ns; /* when the recording was brought up to date last */

    struct thread_mirror *mirrors[WIRE_THREAD_SLOTS];
    struct vector threads;                   /* struct thread_row, in order of appearance */
    uint32_t threads_count, threads_written; /* one that is called otherwise is written again */
    struct ended_threads ended_threads;
    struct native_ranges modules;
    struct made_code made_code; /* what it has told debuggers of code that it made, */
    struct perf_map perf_map;   /* and what profilers */
    struct vector code_numbers; /* uint32_t: number in the stream → number in run->codes */
    uint32_t code_numbers_count;
    uint64_t doubted_until; /* the words of who has not written before here were passed over */
    struct arriving description, text; /* of a code; of the file that it names */

    struct live_heap heap;    /* what was allocated */
    struct mappings mappings; /* what was mapped */
    uint64_t first_block;     /* number of its own first one; what it inherits has smaller ones */
    uint64_t blocks_made;     /* the number of the next block */
    uint64_t wanted_below;    /* blocks with smaller numbers are buried when they die */
    struct estate *estate;    /* inheritance.h; null: nobody inherits */
    struct counters counters;
    struct heap_sums sums;
    struct history_queue history;
    struct samples samples;
    struct slices slices;
    struct vector latest; /* uint64_t by thread.id: the thread's latest block's number + 1 */
    struct pending_realloc pending[WIRE_REALLOC_THREAD_MASK + 1];
    struct pending_unmap unmaps[WIRE_REALLOC_THREAD_MASK + 1];
    uint64_t pieces_put_back; /* of mappings, by unmappings that failed */

    uint64_t now_ns; /* of the latest TIME record, CLOCK_MONOTONIC */
    double now;      /* the same in seconds from the run's start */
    uint64_t unmatched_frees;
    uint64_t
        damaged; /* words and records that made no sense, holes, blocks that could not be kept */
    uint32_t python_version;
    bool stacks_unreadable;

    bool end_seen;
    uint32_t ends_noted;
    double end_time;
    uint64_t end_bytes, end_blocks, end_events;
    struct vector end; /* struct end_entry */
    uint32_t end_count;

    struct peak_position position_at_peak;
    bool executes; /* it has said that another program takes its place, and nothing since */
    bool has_left; /* it is no part of the run's sum any more */

    uint64_t refused, most_refused; /* allocations that failed, and the largest in bytes */
    uint32_t refused_location;      /* where that was asked for; 0: not known */
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
    return process->damaged + process->peer.looks.refused + ring_end_dropped(&process->ring);
}

/* Gives a new block its number and the time of its birth. The caller adds it to the heap and then
 * counts it in blocks_made. */
static inline void process_number_block(const struct process *process, struct block *block)
{
    uint32_t born = process->history.writer.now_ms;
    block->number = process->blocks_made & ((UINT64_C(1) << 48) - 1);
    block->born_low = born & 0xffff;
    block->born_high = born >> 16;
}

/* Has the thread (of the run) that allocated the block with this number allocated nothing since? */
static inline bool process_is_latest(const struct process *process, uint32_t thread,
                                     uint64_t number)
{
    const uint64_t *latest = process->latest.data;
    return (thread + 1) * sizeof *latest <= process->latest.bytes && latest[thread] == number + 1;
}

static inline void process_note_latest(struct run *run, struct process *process, uint32_t thread,
                                       uint64_t number)
{
    if (vector_reserve(&process->latest, (size_t)thread + 1, sizeof(uint64_t)))
        ((uint64_t *)process->latest.data)[thread] = number + 1;
    else
        run->memory_short = true;
}

/* Before an event is counted: makes sure that the history, if there is one, has room for it. */
static inline bool process_keeps_history(struct run *run, struct process *process)
{
    struct history_queue *history = &process->history;
    if (__builtin_expect(history->kept && history_writer_is_full(&history->writer), 0))
        history_queue_finish_chunk(run, process);
    return history->kept;
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

/* Notes the composition of the heap as that at the end of the program's own code: the last time
 * counts, as an interpreter may begin and end again. It costs a look at every counter, so who says
 * it time and again must have something happen between. */
void process_note_end(struct run *run, struct process *process);

#endif
