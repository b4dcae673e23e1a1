/*
 * The ground that a process stands on: its address space in segments, by what each is for, as far
 * as the kernel's list of mappings (proc_pid_maps(5)), what the process has mapped itself
 * (book/mappings.h) and what it has said of its addresses (book/places.h) tell.
 *
 * What is left, anonymous memory that nobody has said anything of, is GROUND_REST until it is known
 * whether blocks lie in it; then ground_settle() says what it is. One thread.
 */
#ifndef HEAPLINE_COLLECTOR_GROUND_H
#define HEAPLINE_COLLECTOR_GROUND_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "collector/base/index.h"

struct mappings;
struct places;

/* The C library's heaps but the first lie at multiples of that: HEAP_MAX_SIZE of glibc's
 * malloc/arena.c. */
#define GROUND_HEAP_BYTES (UINT64_C(64) << 20)

enum ground_kind {
    GROUND_FILE,    /* its name is the path; also memfds and what else has a name */
    GROUND_LIBRARY, /* a file of which something is executable, and the memory that belongs to it */
    GROUND_SHARED,  /* shared memory */
    GROUND_HUGETLB, /* reserved huge pages: no part of resident memory */
    GROUND_STACK,
    GROUND_SHIM,
    GROUND_ARENA,  /* pymalloc's: each is a segment */
    GROUND_MAPPED, /* by the program or a library, which is the name */
    GROUND_LAZY,   /* given back lazily */
    GROUND_HEAP,   /* the C library's, or of what is in its place, which is the name */
    GROUND_UNSEEN, /* none of it */
    GROUND_REST,
};

struct segment {
    uint64_t start, end;
    uint32_t name; /* 0: none */
    uint8_t kind;  /* enum ground_kind */
    bool has_guard, is_main_heap;
    uint32_t behind; /* name of the library whose mapping ends where it begins; 0: none does */
    /* What is found there: bytes of pages that are in memory, swapped out, huge ones; of live
     * blocks, and of what is theirs without being asked for. */
    uint64_t resident, swapped, huge;
    uint64_t shared; /* with other processes, of the resident ones; 0 where that was not asked */
    uint64_t shared_blocks; /* of block_bytes */
    uint64_t block_bytes, overhead;
};

/* Where a library's code lies in its file. */
struct code_area {
    uint32_t name;
    uint64_t offset, bytes;
};

struct ground {
    struct segment *segments; /* in order of address */
    uint32_t count, capacity;
    char **names; /* number 0 is not used */
    uint32_t name_count, name_capacity;
    struct index by_name;
    struct code_area *codes;
    uint32_t code_count, code_capacity;
    uint32_t allocator;    /* name of the library that has malloc */
    bool has_other_malloc; /* it is not the C library's */
};

/* Of whom, and what is known of it. */
struct ground_source {
    pid_t pid;
    const struct places *places;
    const struct mappings *mappings;
    bool (*is_memory)(const void *context, uint32_t counter); /* and no file, nor reserved */
    const void *context;
};

/* Reads the ground of a process; ground_deinit() in any case. False: it cannot be read, or memory
 * is short. */
bool ground_read(struct ground *ground, const struct ground_source *source);
void ground_deinit(struct ground *ground);

/* After the segments' blocks are known. */
void ground_settle(struct ground *ground, const struct places *places);

/* Has the file of that name glibc in it, by its name? */
bool ground_is_c_library(const char *path);

/* Null for none. */
const char *ground_name(const struct ground *ground, uint32_t name);

#endif
