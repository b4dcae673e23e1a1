/*
 * The threads of the page: those of the recording that something was counted for, but not more than
 * a page can show. What is beyond that is summed up by process, and then over all processes.
 *
 * A thread is one of a process: what a forked child inherited is of the parent's thread, but the
 * child's. One thread.
 */
#ifndef HEAPLINE_VIEWER_HTML_PAGE_THREADS_H
#define HEAPLINE_VIEWER_HTML_PAGE_THREADS_H

#include <stddef.h>
#include <stdint.h>

#include "viewer/html/index.h"

/* So many threads, so many rests of processes, and the rest of all. */
#define PAGE_THREADS_MAX 256u

#define PAGE_REST UINT32_MAX

struct page_thread {
    uint32_t process; /* index in the recording; PAGE_REST: of several */
    uint32_t thread;  /* id in the recording; PAGE_REST: several */
    uint32_t summed;  /* how many it stands for */
};

struct page_threads {
    struct index index; /* of (process, thread) */
    struct found {
        struct page_thread thread;
        uint64_t weight;
    } * found;
    uint32_t found_count;
    struct page_thread *list; /* the page's */
    uint32_t count;
    uint32_t *page_thread_of; /* by what was found */
};

/* Zeroed memory has none. */
void page_threads_deinit(struct page_threads *threads);

/* Something was counted for a thread, which matters by so much. Returns its number among what was
 * found. */
uint32_t page_threads_find(struct page_threads *threads, uint32_t process, uint32_t thread,
                           uint64_t weight);

/* Fills in the page's threads, when all have been found. */
void page_threads_choose(struct page_threads *threads);

#endif
