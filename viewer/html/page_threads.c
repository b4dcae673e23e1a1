/*
 * Those of the greatest weight are shown; of equal ones those that were found first.
 */
#include "viewer/html/page_threads.h"

#include <stdlib.h>

#include "viewer/base/cleanup.h"
#include "viewer/base/memory.h"
#include "viewer/base/order.h"

void page_threads_deinit(struct page_threads *threads)
{
    index_deinit(&threads->index);
    free(threads->found);
    free(threads->list);
    free(threads->page_thread_of);
}

uint32_t page_threads_find(struct page_threads *threads, uint32_t process, uint32_t thread,
                           uint64_t weight)
{
    uint32_t number =
        index_add(&threads->index, (uint64_t)process << 32 | thread, threads->found_count);
    if (number == threads->found_count) {
        threads->found = memory_room(threads->found, number, sizeof *threads->found);
        threads->found[threads->found_count++] = (struct found){.thread = {process, thread, 1}};
    }
    threads->found[number].weight += weight;
    return number;
}

static int compare_weights(const void *a, const void *b, void *found)
{
    uint32_t one = *(const uint32_t *)a, other = *(const uint32_t *)b;
    const struct found *of = found;
    return ORDER(of[other].weight, of[one].weight) ?: ORDER(one, other);
}

/* A new thread of the page. */
static uint32_t threads_add(struct page_threads *threads, struct page_thread thread)
{
    threads->list = memory_room(threads->list, threads->count, sizeof *threads->list);
    threads->list[threads->count] = thread;
    return threads->count++;
}

/* The rest that a thread is part of: its process's, or that of all. */
static uint32_t rest_of(struct page_threads *threads, struct index *rests, uint32_t process)
{
    if (rests->count >= PAGE_THREADS_MAX)
        process = PAGE_REST;
    uint32_t rest = index_add(rests, process, threads->count);
    if (rest == threads->count)
        threads_add(threads, (struct page_thread){process, PAGE_REST, 0});
    threads->list[rest].summed++;
    return rest;
}

void page_threads_choose(struct page_threads *threads)
{
    uint32_t count = threads->found_count;
    CLEANUP(cleanup_free) uint32_t *order = memory_new(count, sizeof *order);
    threads->page_thread_of = memory_new(count, sizeof *threads->page_thread_of);
    for (uint32_t i = 0; i < count; i++)
        order[i] = i;
    if (count > PAGE_THREADS_MAX)
        qsort_r(order, count, sizeof *order, compare_weights, threads->found);
    CLEANUP(index_deinit) struct index rests = {0};
    for (uint32_t i = 0; i < count; i++) {
        struct page_thread thread = threads->found[order[i]].thread;
        threads->page_thread_of[order[i]] = i < PAGE_THREADS_MAX
                                                ? threads_add(threads, thread)
                                                : rest_of(threads, &rests, thread.process);
    }
}
