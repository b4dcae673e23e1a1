/*
 * Call frame information of code that has no table to search it by (.eh_frame alone, as code that a
 * program makes has it). Any thread.
 */
#ifndef HEAPLINE_PRELOAD_FRAME_SEARCH_H
#define HEAPLINE_PRELOAD_FRAME_SEARCH_H

#include <stdbool.h>
#include <stdint.h>

struct frame_section {
    uintptr_t at;
    uint64_t bytes; /* 0: there is none */
};

/* Where the entry begins that describes a function, and the function. */
struct frame_entry {
    uintptr_t at;
    uintptr_t start, end;
};

/* The entry of the function that has an address. False: there is none. */
bool frame_search(const struct frame_section *section, uintptr_t address,
                  struct frame_entry *found);

#endif
