/*
 * Where a process has native code: the modules that it has told of, and the code that it has made
 * itself. The names are native_frames.h's. One thread.
 */
#ifndef HEAPLINE_COLLECTOR_NATIVE_SPACE_H
#define HEAPLINE_COLLECTOR_NATIVE_SPACE_H

#include <stdint.h>

#include "collector/base/vector.h"
#include "collector/native/made_code.h"
#include "collector/native/perf_map.h"
#include "collector/peer/peer.h"
#include "collector/symbols/native_modules.h"
#include "collector/symbols/native_symbols.h"

struct stacks;

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

/* Zeroed memory is nobody's. */
struct native_space {
    struct peer *peer; /* whose it is; outlives it */
    struct native_ranges modules;
    struct made_code made;    /* what it has told debuggers of code that it made, */
    struct perf_map perf_map; /* and what profilers */
};

void native_space_deinit(struct native_space *space);

/* A process has told of a module with this path and build-id; what it had told of the same
 * addresses is void. */
void native_ranges_add(struct stacks *stacks, struct native_space *space,
                       const struct native_range *range, const char *path,
                       const struct build_id *id);

/* A process has told of code that it has made (made_code.h). */
void native_made_add(struct stacks *stacks, struct native_space *space, uint64_t start,
                     uint64_t end, const char *symbol);

/* The point of the call that returns to an address. */
struct native_point native_space_point(const struct native_space *space, uint64_t address);

#endif
