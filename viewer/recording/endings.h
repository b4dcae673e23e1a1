/*
 * How each process of a recording ended, as far as the recording says.
 *
 * A process that executed another program has a row for each program; the earlier one's ending is
 * that, and is known by the row that follows, or is told; then it has leaked nothing. Recordings
 * from before there was the table `ending` say nothing of what would stand in it.
 */
#ifndef HEAPLINE_VIEWER_RECORDING_ENDINGS_H
#define HEAPLINE_VIEWER_RECORDING_ENDINGS_H

#include <stdbool.h>
#include <stdint.h>

enum ending_kind {
    ENDING_UNKNOWN,
    ENDING_EXITED,   /* with process.exit_status */
    ENDING_KILLED,   /* by process.signal */
    ENDING_EXECUTED, /* another program took its place */
    ENDING_RUNNING,  /* it lived on, or the recording was cut short before */
};

/* In JSON and CSV. */
extern const char *const ending_names[];

struct ending {
    enum ending_kind kind;
    bool is_told; /* the recording has a row for what follows */
    bool core_dumped, out_of_memory;
    uint64_t collector_bytes; /* held by the collector under the limit that killed it, 0: none */
    uint64_t refused, most_refused; /* allocations that failed, and the largest in bytes */
    uint32_t refused_location;      /* where that was asked for; 0: not known */
};

struct frame;
struct recording;
struct process;

/* Fills in every process's ending. False, with a problem, when they cannot be read. */
bool endings_load(struct recording *recording);

/* Checks, once frames are known, that what endings refer to is among them. False, with a problem,
 * when not. */
bool endings_check(struct recording *recording);

/* Where the largest allocation that failed was asked for; null: not known. */
const struct frame *ending_refused_at(const struct recording *recording,
                                      const struct process *process);

/* Is there something to say about it: not a plain exit, nor one that nothing is known of? */
bool ending_is_remarkable(const struct process *process);

#endif
