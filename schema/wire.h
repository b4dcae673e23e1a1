/*
 * The event stream: what a traced process says to its collector.
 *
 * One stream of 64-bit words. Both sides compile this header; tests/unit/test_wire.c holds every
 * layout with golden bytes.
 *
 * Every word carries in bit 63 the *lap bit* (which pass over the ring wrote it, see
 * wire_lap_bit()) and in bit 62 whether it is the first word of a record. A record is one first
 * word and, depending on its kind, continuation words. The first word is published last, with
 * release order. A word whose lap bit is not the current pass's has not been published yet.
 * A reader that meets a hole (words reserved and never published) therefore finds the next record
 * with certainty: the next word with bit 62 set and the current lap bit.
 *
 * The Python stack is not sent with each allocation. Writer and reader each keep, for every
 * thread, the same array of levels, outermost frame first: (code, instruction). STACK records
 * overwrite levels in it, an ALLOCATION may change its innermost level in line. Levels above the
 * current depth stay as they were and count again when the depth grows back, so that a frame that
 * comes back unchanged costs no word at all. A level whose code is WIRE_CODE_NONE is no Python
 * frame (an entry from C, a frame that has not begun) and is left out of stacks.
 *
 * Integers are little endian, bit 0 the lowest.
 */
#ifndef HEAPLINE_SCHEMA_WIRE_H
#define HEAPLINE_SCHEMA_WIRE_H

#include <stdbool.h>
#include <stdint.h>

#include "allocators.h"

#define WIRE_VERSION 7u

#define WIRE_LAP_BIT   (UINT64_C(1) << 63)
#define WIRE_FIRST_BIT (UINT64_C(1) << 62)
/* The 62 bits of a word that a record may use. */
#define WIRE_PAYLOAD_MASK (WIRE_FIRST_BIT - 1)

/* Kinds, in bits 61..58 of a first word. 0 is never sent. */
enum wire_kind {
    WIRE_ALLOCATION = 1,
    WIRE_FREE = 2,
    WIRE_REALLOC_FREE = 3,
    WIRE_REALLOC_FAILED = 4,
    WIRE_STACK = 5,
    WIRE_CODE = 6,
    WIRE_THREAD = 7,
    WIRE_TIME = 8,
    WIRE_MARK = 9,
    WIRE_UNMAP = 10,
    WIRE_NATIVE = 11,
    WIRE_MODULE = 12,
    WIRE_CHAIN = 13,
    WIRE_EXTENDED = 15,
};
#define WIRE_KIND_SHIFT 58
#define WIRE_KIND_MASK  UINT64_C(15)

/*
 * ALLOCATION, two words, three when wide. Sent after the real allocation has returned.
 *   word 0: kind | allocator 57..55 | wide 54 | depth change + 32 in 53..48 | address 47..0
 *   word 1: thread 61..49 | native 48 | no stack 47 | instruction present 46 | size 43..24 |
 *           instruction 23..0
 *   word 2, when wide: size in 61..0 (word 1's size field is then 0)
 * The depth change applies to the thread's depth; the instruction then replaces the innermost
 * level's. With "no stack" neither applies: the allocation has no known Python stack. With "native"
 * the thread's native levels belong to the stack too. A block is large (WIRE_LARGE_BYTES) where it
 * is wide. WIRE_ALLOCATOR_MOVED is a mapping of the kind of what its thread has unmapped last.
 */
#define WIRE_LARGE_BYTES        (UINT64_C(1) << 20)
#define WIRE_ALLOCATOR_MOVED    7u
#define WIRE_ADDRESS_MASK       ((UINT64_C(1) << 48) - 1)
#define WIRE_ALLOCATOR_SHIFT    55
#define WIRE_ALLOCATOR_MASK     UINT64_C(7)
#define WIRE_WIDE_BIT           (UINT64_C(1) << 54)
#define WIRE_DEPTH_CHANGE_SHIFT 48
#define WIRE_DEPTH_CHANGE_MASK  UINT64_C(63)
#define WIRE_DEPTH_CHANGE_BIAS  32
#define WIRE_THREAD_SHIFT       49
#define WIRE_THREAD_MASK        UINT64_C(0x1fff)
#define WIRE_NATIVE_STACK_BIT   (UINT64_C(1) << 48)
#define WIRE_NO_STACK_BIT       (UINT64_C(1) << 47)
#define WIRE_INSTRUCTION_BIT    (UINT64_C(1) << 46)
#define WIRE_SIZE_SHIFT         24
#define WIRE_SIZE_MASK          UINT64_C(0xfffff)
#define WIRE_INSTRUCTION_MASK   UINT64_C(0xffffff)
/* An instruction that is no offset: the frame has not executed one; its first line is meant. */
#define WIRE_INSTRUCTION_NONE WIRE_INSTRUCTION_MASK

/* Thread slots 0..WIRE_THREAD_SLOTS-1; the last one is shared by threads beyond the others and its
 * events carry no stack. */
#define WIRE_THREAD_SLOTS       8192u
#define WIRE_THREAD_SHARED_SLOT (WIRE_THREAD_SLOTS - 1)

/*
 * FREE, one word: kind | address 47..0. Sent before the real free.
 * REALLOC_FREE, one word: kind | thread's low ten bits 57..48 | address. The free of the old block
 *   at the start of a realloc, before the real one; the new block follows as an ALLOCATION.
 * REALLOC_FAILED, one word, same fields: the realloc failed, the block lives on as it was.
 */
#define WIRE_REALLOC_THREAD_SHIFT 48
#define WIRE_REALLOC_THREAD_MASK  UINT64_C(0x3ff)

/*
 * UNMAP, two words: a range of addresses is given back, which may be a part of a mapping or reach
 * over several. What the ALLOCATION of a mapping covers is given back without it.
 *   word 0: kind | thread's low ten bits 57..48 | address 47..0
 *   word 1: failed 61 | looked 60 | bytes 47..0
 *   word 2, when it has been looked at: how many bytes of the range are in memory
 * Sent before the real call. When that fails the same record comes once more as "failed": the range
 * is as it was.
 */
#define WIRE_UNMAP_FAILED_BIT (UINT64_C(1) << 61)
#define WIRE_LOOKED_BIT       (UINT64_C(1) << 60)

/*
 * STACK, 1 + count words: levels `level`..`level+count-1` of the thread's array are replaced, its
 * depth becomes `depth`.
 *   word 0: kind | thread 57..45 | count 44..33 | level 32..17 | depth 16..0
 *   then:   entry 48 | code 47..24 | instruction 23..0
 * With native stacks, the entry bit says that an evaluation loop of the interpreter's begins at
 * this level.
 */
#define WIRE_STACK_THREAD_SHIFT 45
#define WIRE_STACK_COUNT_SHIFT  33
#define WIRE_STACK_COUNT_MASK   UINT64_C(0xfff)
#define WIRE_STACK_LEVEL_SHIFT  17
#define WIRE_STACK_LEVEL_MASK   UINT64_C(0xffff)
#define WIRE_STACK_DEPTH_MASK   UINT64_C(0x1ffff)
#define WIRE_ENTRY_BIT          (UINT64_C(1) << 48)
#define WIRE_CODE_SHIFT         24
#define WIRE_CODE_MASK          UINT64_C(0xffffff)
#define WIRE_CODE_NONE          0u
/* Stands for the outer frames of a stack deeper than WIRE_LEVELS_MAX. */
#define WIRE_CODE_TRUNCATED 1u
/* The first code number that a CODE record defines. */
#define WIRE_CODE_FIRST 2u
/* The most levels an array has. */
#define WIRE_LEVELS_MAX 8192u

/*
 * NATIVE, 1 + count words: levels `level`..`level+count-1` of the thread's array of native levels
 * are replaced, its depth becomes `depth`. Outermost first, as for Python.
 *   word 0: as STACK
 *   then:   interpreter 61 | loop 60 | loops 59..48 | return address 47..0
 * "loop": the frame is an evaluation loop's, whose Python frames are among the thread's levels.
 * `loops` is how many of those stand below (outside of) it; "interpreter": its code is the
 * interpreter's own. The address WIRE_NATIVE_TRUNCATED, at level 0, stands for outer frames that
 * are left out or could not be read, with all their loops: those above are counted from 0.
 */
#define WIRE_NATIVE_INTERPRETER_BIT (UINT64_C(1) << 61)
#define WIRE_NATIVE_LOOP_BIT        (UINT64_C(1) << 60)
#define WIRE_NATIVE_LOOPS_SHIFT     48
#define WIRE_NATIVE_LOOPS_MASK      UINT64_C(0xfff)
#define WIRE_NATIVE_TRUNCATED       UINT64_C(1)
#define WIRE_NATIVE_LEVELS_MAX      4096u

/*
 * CHAIN, one word: an evaluation loop's native level and those above it up to the next loop's.
 *   word 0: kind | keep 57 | thread 56..44 | number 43..32 | level 31..16 | depth 15..0
 * With "keep" the thread's levels from `level` to below `depth` are remembered under this number;
 * what it meant before is void. Without, the levels that are remembered come back at `level`, and
 * the depth is `depth`.
 */
#define WIRE_CHAIN_KEEP_BIT     (UINT64_C(1) << 57)
#define WIRE_CHAIN_THREAD_SHIFT 44
#define WIRE_CHAIN_NUMBER_SHIFT 32
#define WIRE_CHAIN_NUMBER_MASK  UINT64_C(0xfff)
#define WIRE_CHAIN_LEVEL_SHIFT  16
#define WIRE_CHAIN_LEVEL_MASK   UINT64_C(0xffff)
#define WIRE_CHAIN_DEPTH_MASK   UINT64_C(0xffff)
#define WIRE_CHAINS             256u /* of a thread */
#define WIRE_CHAIN_LEVELS_MAX   24u

/*
 * MODULE, 4 + ceil(lengths / 7) words: a file of native code, before the first return address in
 * it. From now on addresses in its range are its own, whatever stood there before.
 *   word 0: kind | length of the build-id 22..16 | length of the path 15..0
 *   then:   first address; address behind the last; what is to be taken from an address to have the
 *           file's own; the path and, right behind it, the build-id of what is in memory (none: not
 *           known), seven bytes to a word (bits 55..0)
 */
#define WIRE_MODULE_LENGTH_MASK UINT64_C(0xffff)
#define WIRE_MODULE_PATH_MAX    2048u
#define WIRE_MODULE_ID_SHIFT    16
#define WIRE_MODULE_ID_MASK     UINT64_C(0x7f)
#define WIRE_MODULE_ID_MAX      64u

/*
 * CODE, 1 + ceil(length / 7) words: `length` more bytes of the description of code `code`, seven
 * to a word (bits 55..0). When `begin` is set a new description starts, which replaces an older
 * one of that number. The description is a struct wire_code followed by the file name, the function
 * name and the line table; it is complete when as many bytes have come as those lengths say.
 *   word 0: kind | begin 57 | code 47..24 | length 23..0
 */
#define WIRE_CODE_BEGIN_BIT   (UINT64_C(1) << 57)
#define WIRE_CODE_LENGTH_MASK UINT64_C(0xffffff)
#define WIRE_BYTES_PER_WORD   7u
/* No fragment is longer. */
#define WIRE_FRAGMENT_MAX (WIRE_BYTES_PER_WORD * 2048u)

enum wire_line_table {
    WIRE_LINES_LNOTAB = 0,    /* co_lnotab, CPython up to 3.9 */
    WIRE_LINES_RANGES = 1,    /* co_linetable of 3.10 */
    WIRE_LINES_LOCATIONS = 2, /* co_linetable of 3.11 and later */
    WIRE_LINES_TOLD = 3,      /* none: what levels have for an instruction is the line itself */
    WIRE_LINES_COUNT = 4,
};

/* Names are PyUnicode data as they lie in memory: `width` bytes a character (1: Latin-1). */
struct wire_code {
    int32_t first_line;
    uint8_t line_table; /* enum wire_line_table */
    uint8_t file_width; /* 1, 2 or 4 */
    uint8_t name_width;
    uint8_t reserved;
    uint32_t file_bytes;
    uint32_t name_bytes;
    uint32_t table_bytes;
};
_Static_assert(sizeof(struct wire_code) == 20, "struct wire_code has no padding");

/* No part of a description is longer; the shim cuts what is. */
#define WIRE_NAME_BYTES_MAX  65536u
#define WIRE_TABLE_BYTES_MAX (16u << 20)

/*
 * THREAD, one word: kind | slot 57..45 | kernel thread id 31..0. The slot now belongs to this
 * thread; its array of levels is empty.
 * TIME, one word: kind | CLOCK_MONOTONIC in ns, 57..0. Holds for the events after it.
 * MARK, one word, more for some: kind | mark 57..50 | value 47..0.
 */
#define WIRE_THREAD_SLOT_SHIFT 45
#define WIRE_THREAD_ID_MASK    UINT64_C(0xffffffff)
#define WIRE_TIME_MASK         ((UINT64_C(1) << 58) - 1)
#define WIRE_MARK_SHIFT        50
#define WIRE_MARK_MASK         UINT64_C(0xff)
#define WIRE_MARK_VALUE_MASK   WIRE_ADDRESS_MASK

enum wire_mark {
    WIRE_MARK_PYTHON = 1,         /* value: PY_VERSION_HEX */
    WIRE_MARK_PROGRAM_END = 2,    /* the program's own code has ended, teardown begins */
    WIRE_MARK_UNKNOWN_PYTHON = 3, /* value: PY_VERSION_HEX; Python stacks cannot be read */
    WIRE_MARK_FORK = 4,           /* value: the token that the child's hello will name */
    WIRE_MARK_CHILD_ENDED = 5,    /* the process has waited for a child that ended; value: below */
    WIRE_MARK_REFUSED = 6,        /* the allocator gave nothing; value: the size asked for, or
                                   * WIRE_MARK_VALUE_MASK when it was more; a second word says
                                   * where: as an ALLOCATION's, with the depth change + 32 in its
                                   * size field, and without native levels. Without that word the
                                   * place is not known */
    WIRE_MARK_ABANDONED = 7,      /* nothing: a record was begun here, and its writer left by a
                                   * jump */
    WIRE_MARK_EXECUTED = 8,       /* a process has become a Python, or will now; value: below */
    WIRE_MARK_NOT_EXECUTED = 9,   /* it has not; value: as there */
    WIRE_MARK_NOT_FORKED = 10,    /* value: the token of a fork that has failed */
    WIRE_MARK_TEXT = 11,          /* the source text of a file that is none; value: below */
    WIRE_MARK_THREAD_NAME = 12,   /* what Python calls a thread; value: below */
    WIRE_MARK_MADE_CODE = 13,     /* value: the length of a name; below */
    WIRE_MARK_REPLACED = 14,      /* another program takes this one's place now */
    WIRE_MARK_NOT_REPLACED = 15,  /* it has not */
};

/* CHILD_ENDED: process id, as the parent knows it, in 47..16 | wait status 15..0. */
#define WIRE_CHILD_PID_SHIFT   16
#define WIRE_CHILD_STATUS_MASK UINT64_C(0xffff)

/* EXECUTED: process id, as the process that executes knows it, in 47..16; 0: one that cannot be
 * traced. In 15..0 how many milliseconds ago it began, for a child that has been spawned; 0: it is
 * just about to, after the TIME record before the mark. */
#define WIRE_EXECUTED_PID_SHIFT 16
#define WIRE_EXECUTED_MS_MASK   UINT64_C(0xffff)

/* MADE_CODE, 3 + ceil(length / 7) words: what the program calls code that it has made, before the
 * first return address in it. From now on it is called so, whatever was there before; without a
 * name: it is not known what is there now.
 *   then:   first address; address behind the last; the name's bytes, seven to a word */
#define WIRE_MADE_NAME_MAX 1024u

/*
 * TEXT, 1 + ceil(length / 7) words, as CODE: `length` more bytes of a text that the process has in
 * memory, for a file name that codes have. When `begin` is set a new text starts. It is a struct
 * wire_text and then pieces, the first of them the name, the others the lines: each a word of 32
 * bits (width 31..30: 0, 1, 2 for 1, 2, 4 bytes a character | bytes 29..0) and so many bytes of
 * PyUnicode data. It is complete when as many bytes have come as the struct says.
 *   value: begin 47 | length 13..0
 */
#define WIRE_TEXT_BEGIN_BIT   (UINT64_C(1) << 47)
#define WIRE_TEXT_LENGTH_MASK UINT64_C(0x3fff)

struct wire_text {
    uint32_t bytes; /* of all pieces with their heads; no text has more than */
};
#define WIRE_TEXT_BYTES_MAX         (8u << 20)
#define WIRE_TEXT_PIECE_WIDTH_SHIFT 30
#define WIRE_TEXT_PIECE_BYTES_MASK  UINT32_C(0x3fffffff)

/*
 * THREAD_NAME, 1 + ceil(length / 7) words: the name as PyUnicode data, seven bytes to a word.
 *   value: slot 47..35 | width 10..9 (0, 1, 2 for 1, 2, 4 bytes a character) | length 8..0
 */
#define WIRE_THREAD_NAME_SLOT_SHIFT  35
#define WIRE_THREAD_NAME_WIDTH_SHIFT 9
#define WIRE_THREAD_NAME_WIDTH_MASK  UINT64_C(3)
#define WIRE_THREAD_NAME_LENGTH_MASK UINT64_C(0x1ff)
#define WIRE_THREAD_NAME_BYTES_MAX   256u

/*
 * EXTENDED, 1 + count words: what has no kind of its own, said by rare events. Whoever does not
 * know its number skips it, for it says how long it is, and counts it. word 0: kind | number 57..16
 * | count 15..0
 */
#define WIRE_EXTENDED_NUMBER_SHIFT 16
#define WIRE_EXTENDED_NUMBER_MASK  ((UINT64_C(1) << 42) - 1)
#define WIRE_EXTENDED_COUNT_MASK   UINT64_C(0xffff)

enum wire_extended {
    WIRE_EXTENDED_ACCESSIBLE = 1, /* 3 words: the stack, as REFUSED has it; address; bytes. What was
                                   * reserved of this range may be used now */
    WIRE_EXTENDED_PRESENT = 2,    /* 2 words: the address of a large block; how many bytes of it are
                                   * in memory. Before it is freed */
    WIRE_EXTENDED_EMPTIED = 3,    /* 2 words: address; looked 60 | lazily 59 | bytes 47..0; a third
                                   * as UNMAP. The range is still mapped, and what was in it is
                                   * gone; "lazily": when the kernel wants it (MADV_FREE) */
    WIRE_EXTENDED_LOOKED = 4,     /* none: all large blocks that are not in memory in full have just
                                   * been looked at, and what was found was told */
    WIRE_EXTENDED_PLACE = 5,      /* 2 words: address; kind 55..48 | bytes 47..0; a third for
                                   * MAPPED. What a range of addresses is for */
};
#define WIRE_LAZILY_BIT (UINT64_C(1) << 59)

enum wire_place {
    WIRE_PLACE_GONE = 0,      /* nothing any more */
    WIRE_PLACE_ARENA = 1,     /* pymalloc's */
    WIRE_PLACE_FRAMES = 2,    /* Python's frames */
    WIRE_PLACE_STACK = 3,     /* a thread's stack lies around that address */
    WIRE_PLACE_ALLOCATOR = 4, /* the C library's malloc, or what is in its place, has its code
                               * there */
    WIRE_PLACE_SHIM = 5,      /* the shim's own memory */
    WIRE_PLACE_MAPPED = 6,    /* a mapping that is told as such; the third word is an address in the
                               * code that has asked for it */
    WIRE_PLACE_COUNT = 7,
};
#define WIRE_PLACE_SHIFT 48
#define WIRE_PLACE_MASK  UINT64_C(0xff)

static inline unsigned wire_kind(uint64_t word)
{
    return (unsigned)(word >> WIRE_KIND_SHIFT & WIRE_KIND_MASK);
}

static inline uint64_t wire_first(unsigned kind)
{
    return WIRE_FIRST_BIT | (uint64_t)kind << WIRE_KIND_SHIFT;
}

static inline uint64_t wire_extended(enum wire_extended number, unsigned count)
{
    return wire_first(WIRE_EXTENDED) | (uint64_t)number << WIRE_EXTENDED_NUMBER_SHIFT | count;
}

/* The lap bit of the word at `position` (counted from the start of the stream) in a ring of
 * 2^log2_words words. The first pass writes ones, so that fresh zero pages are unpublished. */
static inline uint64_t wire_lap_bit(uint64_t position, unsigned log2_words)
{
    return (~(position >> log2_words) & 1) << 63;
}

#endif
