/*
 * What native addresses are called: each becomes one location, or several where calls are inlined,
 * outermost first, like those of Python code (codes.h).
 *
 * An address is asked for once, when it is first seen, for the libraries may be gone later. One
 * thread.
 */
#ifndef HEAPLINE_COLLECTOR_NATIVE_FRAMES_H
#define HEAPLINE_COLLECTOR_NATIVE_FRAMES_H

#include <stdbool.h>
#include <stdint.h>

#include "index.h"
#include "native_chains.h"
#include "native_modules.h"
#include "native_symbols.h"
#include "vector.h"

#define NATIVE_INLINED_MAX 16u
/* Each is a question to another process. */
#define NATIVE_PLACES_MAX (1u << 20)

/* What a process has mapped where, as it has told (MODULE in schema/wire.h). */
struct native_range {
    uint64_t start, end;
    uint64_t bias;   /* to be taken from an address to have the file's own */
    uint32_t module; /* native_modules.h; of what is told: not known yet */
};

struct native_ranges {
    struct vector list; /* struct native_range, in no order; no two overlap */
    uint32_t count;
    uint32_t told; /* so many times; what was called something before is asked for anew */
};

struct run;
struct process;

struct native_frames {
    struct native_place place;
    bool starts_threads; /* libc's, or the python program's own: at the outer end of every stack */
    uint32_t count;
    uint32_t locations[NATIVE_INLINED_MAX];
};

struct native_table {
    struct vector list; /* struct native_frames, element 0 is empty */
    uint32_t count;
    struct index by_place; /* by module and offset */
    struct native_modules modules;
    struct native_symbols symbols;
    bool has_symbols; /* false before the first module */
    bool download;    /* ask servers for debug information; set before that */
    struct native_chain_nodes chain_nodes;
};

bool native_table_init(struct native_table *table);
void native_table_deinit(struct native_table *table);

/* A process has told of a module with this path and build-id; what it had told of the same
 * addresses is void. */
void native_ranges_add(struct run *run, struct process *process, const struct native_range *range,
                       const char *path, const struct build_id *id);

/* A process has told of code that it has made (made_code.h). */
void native_made_add(struct run *run, struct process *process, uint64_t start, uint64_t end,
                     const char *symbol);

/* The number of what a return address is called; 0 when memory is short, or when there are more
 * than any program has (NATIVE_PLACES_MAX). */
uint32_t native_frames_find(struct run *run, struct process *process, uint64_t address);

static inline const struct native_frames *native_frames_at(const struct native_table *table,
                                                           uint32_t number)
{
    return (const struct native_frames *)table->list.data + number;
}

#endif
