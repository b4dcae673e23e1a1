/*
 * Which pages of a process are in memory, asked from outside (proc_pid_pagemap(5)).
 *
 * A page that is swapped out counts: it was touched. The kernel's one page of zeros, which stands
 * wherever memory was read and not yet written, does not.
 */
#ifndef HEAPLINE_COLLECTOR_PAGES_H
#define HEAPLINE_COLLECTOR_PAGES_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct pages {
    int file;
    bool cannot_scan; /* a kernel before 6.7: each page is read */
};

/* False: the kernel does not let us, or there is no such process. pages_close() only if true. */
bool pages_open(struct pages *pages, pid_t pid);
void pages_close(struct pages *pages);

/* After pages_open() has failed, with its errno: is the process there nevertheless? */
bool pages_are_hidden(pid_t pid);

/* The bytes of [start, end) that are in memory. False: that cannot be asked (any more). Costs some
 * milliseconds a GiB that is. */
bool pages_present(struct pages *pages, uint64_t start, uint64_t end, uint64_t *present);

/* What is said of pages that are in memory. */
enum pages_bits {
    PAGES_SWAPPED = 1, /* they are not: they are swapped out */
    PAGES_HUGE = 2,    /* a huge one; not known on older kernels */
    PAGES_SHARED = 4,  /* another process has it too; where that is asked */
};

/* Calls back with the stretches of [start, end), whole pages, that are in memory or swapped out;
 * stretches beside each other may come as several. False as above. */
bool pages_each(struct pages *pages, uint64_t start, uint64_t end,
                void (*found)(void *context, uint64_t start, uint64_t end, unsigned bits),
                void *context);

/* The same of those that are in memory, with PAGES_SHARED alone. */
bool pages_each_shared(const struct pages *pages, uint64_t start, uint64_t end,
                       void (*found)(void *context, uint64_t start, uint64_t end, unsigned bits),
                       void *context);

#endif
