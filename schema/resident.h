/*
 * What resident memory is made of: the kinds of rows that add up to it, one list for the recording
 * (table resident_row), for who counts and for who says it. Each is (constant, key, words). Keys
 * stay what they are. The first are the blocks of the allocators that count, by their numbers
 * (allocators.h).
 */
#ifndef HEAPLINE_SCHEMA_RESIDENT_H
#define HEAPLINE_SCHEMA_RESIDENT_H

#include "allocators.h"

#define RESIDENT_KINDS(KIND)                                                                       \
    KIND(MALLOC, "malloc", "blocks of malloc")                                                     \
    KIND(RAW, "raw", "blocks of Python's raw domain")                                              \
    KIND(MEM, "mem", "blocks of Python's mem domain")                                              \
    KIND(OBJECT, "object", "Python objects")                                                       \
    KIND(MMAP, "mmap", "mapped")                                                                   \
    KIND(INHERITED, "inherited", "blocks of the parent that it was forked from")                   \
    KIND(PYMALLOC_FREE, "pymalloc-free", "free in pymalloc's arenas")                              \
    KIND(MALLOC_FREE, "malloc-free", "free, kept by the C library")                                \
    KIND(OVERHEAD, "overhead", "headers and rounding of the allocators")                           \
    KIND(LAZY, "lazily-freed", "given back, and not yet taken by the kernel")                      \
    KIND(FILE, "file", "mapped files")                                                             \
    KIND(LIBRARY, "library", "program and libraries")                                              \
    KIND(SHARED, "shared", "shared memory")                                                        \
    KIND(STACK, "stack", "stacks")                                                                 \
    KIND(SHIM, "heapline", "heapline's own")                                                       \
    KIND(UNSEEN, "unseen", "memory that no hook saw")

#define RESIDENT_CONSTANT(constant, key, words) RESIDENT_##constant,
#define RESIDENT_KEY(constant, key, words)      key,
#define RESIDENT_WORDS(constant, key, words)    words,

enum resident_kind { RESIDENT_KINDS(RESIDENT_CONSTANT) RESIDENT_KIND_COUNT };
_Static_assert(RESIDENT_MMAP == (int)WIRE_ALLOCATOR_MMAP, "blocks come first, in order");

/* When a process was looked at: (constant, key, words). */
#define RESIDENT_MOMENTS(MOMENT)                                                                   \
    MOMENT(END, "end", "at the end")                                                               \
    MOMENT(PEAK, "peak", "near the peak")                                                          \
    MOMENT(ASKED, "asked", "as asked for")

#define RESIDENT_REGION_KEY(constant, key) key,

enum resident_moment {
    RESIDENT_AT_END,
    RESIDENT_AT_PEAK,
    RESIDENT_AT_ASKED,
    RESIDENT_MOMENT_COUNT
};

/* What blocks can keep in memory as a whole: (constant, key). */
#define RESIDENT_REGIONS(REGION)                                                                   \
    REGION(ARENA, "arena")                                                                         \
    REGION(HEAP, "heap")

enum resident_region { RESIDENT_REGION_ARENA, RESIDENT_REGION_HEAP, RESIDENT_REGION_COUNT };

#endif
