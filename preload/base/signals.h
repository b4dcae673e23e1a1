/*
 * Blocking the signals of the calling thread for a stretch that nobody may jump out of, nor fork
 * in: rare ones only, for it takes two system calls. Keeps errno. Any thread; stretches may lie in
 * one another.
 */
#ifndef HEAPLINE_PRELOAD_SIGNALS_H
#define HEAPLINE_PRELOAD_SIGNALS_H

#include <stdbool.h>
#include <stdint.h>

struct signals {
    uint64_t mask; /* as it was, as the kernel has it */
    bool blocked;  /* false: the program has given up system calls, and nothing was done */
};

struct signals signals_block(void);
void signals_restore(struct signals signals);

/* Can eight bytes be read there? The kernel looks at a mask before at what is to be done with it,
 * which here is nothing. Where there are no system calls: true. */
bool signals_can_read(const void *address);

#endif
