/*
 * Writes recordings for tests of the viewer: any number of processes, stacks and counters, made up
 * from a number so that the same arguments give the same file.
 */
#ifndef HEAPLINE_TESTS_RECORDING_MAKER_H
#define HEAPLINE_TESTS_RECORDING_MAKER_H

#include <stdbool.h>
#include <stdint.h>

struct made_recording {
    uint32_t processes;
    uint32_t nodes;     /* in all, beside the empty stack */
    uint32_t counters;  /* of each process */
    uint32_t locations; /* at least 1 */
    uint32_t depth;     /* stacks are about so deep */
    uint64_t seed;
};

/* Writes the file, which must not exist. False, with a message on stderr, when that fails. */
bool recording_make(const char *path, const struct made_recording *made);

#endif
