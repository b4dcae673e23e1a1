/*
 * The allocators, in one list: their numbers on the wire and in recordings, and what people call
 * them in options, in reports and in the recording's table of allocators. Whoever needs one for
 * each goes over this list; viewer/page/src/data.ts is held against it by a test. A new one is
 * added at the end and makes the recording's format the next one.
 *
 *   malloc  malloc and its family, called from outside CPython's domains
 *   raw     PYMEM_DOMAIN_RAW
 *   mem     PYMEM_DOMAIN_MEM
 *   object  PYMEM_DOMAIN_OBJ
 *   mmap    mmap, mremap and sbrk, called from outside all the others
 *   file    mapped files, shared memory that has a name or a descriptor, devices
 *   reserved  address space that nothing may be done with (PROT_NONE), until that is changed
 *
 * The last two are no memory of the process's by themselves: they are *apart*, in no sum unless
 * they are asked for by name.
 */
#ifndef HEAPLINE_SCHEMA_ALLOCATORS_H
#define HEAPLINE_SCHEMA_ALLOCATORS_H

#include <stdbool.h>

#define ALLOCATORS(ALLOCATOR)                                                                      \
    ALLOCATOR(MALLOC, "malloc")                                                                    \
    ALLOCATOR(RAW, "raw")                                                                          \
    ALLOCATOR(MEM, "mem")                                                                          \
    ALLOCATOR(OBJECT, "object")                                                                    \
    ALLOCATOR(MMAP, "mmap")                                                                        \
    ALLOCATOR(FILE, "file")                                                                        \
    ALLOCATOR(RESERVED, "reserved")

#define ALLOCATOR_CONSTANT(constant, name) WIRE_ALLOCATOR_##constant,
#define ALLOCATOR_NAME(constant, name)     name,

enum wire_allocator { ALLOCATORS(ALLOCATOR_CONSTANT) WIRE_ALLOCATOR_COUNT };

static inline bool allocator_is_apart(unsigned allocator)
{
    return allocator >= WIRE_ALLOCATOR_FILE;
}

/* Are its blocks ranges of addresses, of which any part may go? */
static inline bool allocator_maps(unsigned allocator)
{
    return allocator >= WIRE_ALLOCATOR_MMAP;
}

/* A bit for each that counts where none is asked for. */
#define ALLOCATORS_COUNTED ((1u << WIRE_ALLOCATOR_FILE) - 1)

/* By number: the elements of an array of names. */
#define ALLOCATOR_NAMES ALLOCATORS(ALLOCATOR_NAME)

#endif
