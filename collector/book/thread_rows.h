/*
 * The threads of one process as the recording has them: a row for each number, with a name.
 *
 * A thread has a number of the run from its announcement on. Its row may be one that an ended
 * thread of the same name has had (ended_threads.h); such a row is shared. When memory is short the
 * last row stands for more. One thread at a time.
 */
#ifndef HEAPLINE_COLLECTOR_THREAD_ROWS_H
#define HEAPLINE_COLLECTOR_THREAD_ROWS_H

#include <stdbool.h>
#include <stdint.h>

#include "collector/base/thread_identity.h"
#include "collector/base/vector.h"
#include "collector/book/counters.h"
#include "collector/book/ended_threads.h"

struct thread_row {
    uint32_t number;
    uint32_t tid;   /* the first one's, where several have had the number one after the other */
    bool is_shared; /* several have */
    char name[THREAD_NAME_BYTES];
};

/* Zeroed memory is nothing. */
struct thread_rows {
    struct vector list; /* struct thread_row, in order of appearance */
    uint32_t count;
    uint32_t written; /* that the recording has; one that is called otherwise is written again */
    struct ended_threads ended;
};

/* No more threads will come: what is written stays. */
void thread_rows_close(struct thread_rows *rows);
void thread_rows_deinit(struct thread_rows *rows);

/* A thread with this tid and name begins: the number of one that has ended, or a new one, by
 * *thread_count of the run. */
void thread_rows_begin(struct thread_rows *rows, uint32_t *thread_count,
                       struct thread_identity *thread, const char *name);
/* It has ended, of the process with these counters. */
void thread_rows_end(struct thread_rows *rows, const struct counters *counters,
                     const struct thread_identity *thread);
/* What Python calls it; what it has done so far may count under another one's number, where it had
 * that. `text` may be longer than a name. */
void thread_rows_rename(struct thread_rows *rows, const struct counters *counters,
                        uint32_t *thread_count, struct thread_identity *thread, const char *text);

#endif
