/*
 * Threads that have ended, of which a server may have had any number: the number of one that holds
 * nothing any more is given to the next thread of the same name, with its counters, whose sums go
 * on. Names that differ only in the numbers in them, as Python gives them, are the same here. So
 * memory grows with the threads that are there, and with those that have left something.
 *
 * That a thread has ended is seen when another one takes its slot. What it holds stands in its
 * counters, which are looked through when as many threads have ended as make that cheap; so of a
 * few that end each has a row of its own.
 */
#ifndef HEAPLINE_COLLECTOR_ENDED_THREADS_H
#define HEAPLINE_COLLECTOR_ENDED_THREADS_H

#include <stdbool.h>
#include <stdint.h>

#include "collector/base/vector.h"

struct counters;

/* A thread's name, with its NUL; longer ones are cut. */
#define THREAD_NAME_BYTES 64u

struct ended_thread {
    uint32_t number; /* thread.id in the recording */
    uint32_t row;    /* in thread_rows.list */
    char name[THREAD_NAME_BYTES];
};

struct ended_threads {
    struct vector waiting; /* struct ended_thread: may hold something */
    uint32_t waiting_count, looked_at;
    struct vector empty; /* struct ended_thread: hold nothing */
    uint32_t empty_count;
};

void ended_threads_deinit(struct ended_threads *threads);

/* A thread has ended, of the process with these counters. When memory is short it is forgotten. */
void ended_threads_add(struct ended_threads *threads, const struct counters *counters,
                       const struct ended_thread *thread);

/* Takes out one of that name that holds nothing. False: there is none. */
bool ended_threads_take(struct ended_threads *threads, const char *name,
                        struct ended_thread *thread);

/* Makes a name that of all that differ from it only in the numbers in them: a star stands for each.
 */
void ended_threads_common_name(char name[THREAD_NAME_BYTES]);

#endif
