/*
 * A process of a recording: who it is, what it held, what it was forked with and how it ended.
 */
#ifndef HEAPLINE_VIEWER_RECORDING_PROCESS_H
#define HEAPLINE_VIEWER_RECORDING_PROCESS_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "chunk.h"

/* Sums as a process row and its counters both give them. */
struct sums {
    uint64_t allocations, allocated_bytes;
    uint64_t peak_blocks, peak_bytes;
    uint64_t end_blocks, end_bytes;
    uint64_t leaked_blocks, leaked_bytes;
};

/* Where a process stands at a peak of several. */
struct peak_position {
    bool lived; /* false: it holds nothing, it had not begun or had ended */
    uint64_t events;
    uint64_t bytes, blocks; /* what it holds */
};

/* What a counter held. While changes are added up, modulo 2^64. */
struct held {
    uint64_t bytes, blocks;
};

static inline void held_add(struct held *sum, struct held held)
{
    sum->bytes += held.bytes;
    sum->blocks += held.blocks;
}

/* Blocks of this size, or less of them where their number is below zero. */
static inline void held_add_blocks(struct held *sum, int64_t blocks, uint64_t size)
{
    held_add(sum, (struct held){(uint64_t)blocks * size, (uint64_t)blocks});
}

/* What a process was forked with (inheritance.h). */
struct inherited {
    struct process *parent; /* NULL: nothing */
    uint64_t events;        /* of the parent up to the fork */
    uint64_t first_block;   /* number of the process's own first block */
    uint32_t told;          /* counters in the file */
    /* While it is known: what each counter held at the fork, and the rows of those behind. */
    struct held *held;
    struct counter_row *rows;
};

/* How it ended (endings.h). */
enum ending_kind {
    ENDING_UNKNOWN,
    ENDING_EXITED,   /* with process.exit_status */
    ENDING_KILLED,   /* by process.signal */
    ENDING_EXECUTED, /* another program took its place */
    ENDING_RUNNING,  /* it lived on, or the recording was cut short before */
};

struct ending {
    enum ending_kind kind;
    bool is_told; /* the recording has a row for what follows */
    bool core_dumped, out_of_memory;
    uint64_t collector_bytes; /* held by the collector under the limit that killed it, 0: none */
    uint64_t refused, most_refused; /* allocations that failed, and the largest in bytes */
    uint32_t refused_location;      /* where that was asked for; 0: not known */
};

/* What of its memory a process had touched at most (tables touched and touched_chunk). */
struct touched {
    bool is_known, is_hidden;
    uint64_t bytes, blocks;
    uint64_t events; /* up to then */
    double time;     /* NaN: unknown */
    uint64_t error;  /* by how much it may have been more */
    uint64_t largest_untouched;
    uint32_t largest_location; /* where that was allocated; 0: not known */
};

struct process {
    uint32_t id;
    int64_t pid;
    int64_t parent; /* process id, 0 for the process that heapline run started */
    json_t *command;
    char *python; /* NULL while unknown */
    bool python_stacks;
    bool end_seen;
    double started, ended, peak_time, end_time; /* NaN: unknown */
    int64_t exit_status;                        /* -1: unknown */
    int64_t signal;                             /* 0: none */
    struct ending ending;
    struct sums sums;
    uint64_t frees, unmatched_frees, lost_events;
    uint64_t events, peak_events, end_events; /* in all, up to the peak, up to the end */
    uint32_t counter_count;
    struct inherited inherited;
    const struct process *descends_from; /* its parent in the recording; NULL: not told */
    struct peak_position at_run_peak;    /* when that is known */
    struct touched touched;
    struct peak_position at_run_touched;
};

#endif
