/*
 * Files, code objects and locations as they lie in memory. codes.h makes them, and is alone to
 * change them; others look them up here by number. All numbers begin with 1; 0 means none. One
 * thread at a time.
 */
#ifndef HEAPLINE_COLLECTOR_CODE_LIST_H
#define HEAPLINE_COLLECTOR_CODE_LIST_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "collector/base/index.h"
#include "collector/base/vector.h"

struct code_file {
    char *path;
    int root;             /* where it is looked for: that of the process that named it first */
    uint32_t module;      /* native_modules.h; 0: Python's source */
    struct timespec seen; /* when the first code of it was: what changes later is not its text */
    char *text;           /* null: what stands at the path; else it is the command line's (-c) */
    uint32_t whole;       /* of that: a code that is all of it */
    char *told; /* what a process has in memory as its text, until it is written or of no use */
    uint64_t told_check; /* a hash of that, also afterwards; 0: nothing was told */
    bool is_told_twice;  /* different texts */
    bool is_refuted;     /* what stands there is not what some code of that name was made of */
};

struct code {
    uint32_t file;
    int32_t first_line;
    char *name;
    uint64_t check; /* a second hash of the description */
    /* For each code unit: a location's number, or before its first use minus (line + 1). */
    int32_t *units;
    uint32_t unit_count;
    bool open_end;   /* units beyond the last have the last one's line */
    bool tells_line; /* there are no units: an instruction is its line itself */
};

struct location {
    uint32_t code;
    int32_t line; /* 0: unknown */
};

struct codes {
    struct vector files, codes, locations; /* element 0 unused */
    uint32_t file_count, code_count, location_count;
    struct index by_path, by_description, by_line;
    uint64_t told_bytes;     /* of all files, waiting */
    uint32_t texts_left_out; /* for there was too much of it */
    struct index refuted;    /* paths at which another file stands than relative names meant */
};

static inline const struct code_file *codes_file(const struct codes *codes, uint32_t number)
{
    return (const struct code_file *)codes->files.data + number;
}

static inline struct code *codes_code(const struct codes *codes, uint32_t number)
{
    return (struct code *)codes->codes.data + number;
}

static inline const struct location *codes_location(const struct codes *codes, uint32_t number)
{
    return (const struct location *)codes->locations.data + number;
}

/* The line of a code unit, 0: none. */
static inline int32_t codes_unit_line(const struct codes *codes, const struct code *code,
                                      uint32_t unit)
{
    int32_t value = code->units[unit];
    return value < 0 ? -value - 1 : codes_location(codes, (uint32_t)value)->line;
}

#endif
