/*
 * Native points as they lie in memory: what each is called, and what asks for it. native_frames.h
 * fills it, others look up here by number. One thread.
 */
#ifndef HEAPLINE_COLLECTOR_NATIVE_TABLE_H
#define HEAPLINE_COLLECTOR_NATIVE_TABLE_H

#include <stdbool.h>
#include <stdint.h>

#include "collector/base/index.h"
#include "collector/base/vector.h"
#include "collector/symbols/native_modules.h"
#include "collector/symbols/native_symbols.h"

#define NATIVE_INLINED_MAX 16u

struct native_frames {
    struct native_point point;
    bool starts_threads; /* libc's, or the python program's own: at the outer end of every stack */
    uint32_t count;
    uint32_t locations[NATIVE_INLINED_MAX];
};

/* Room for a node that has been found. */
struct native_chain_node {
    uint64_t chain; /* identity; 0: free */
    uint32_t parent;
    uint32_t node;
};

/* Of a run. */
struct native_chain_nodes {
    uint64_t identities;            /* given so far */
    struct native_chain_node *list; /* null before the first */
};

struct native_table {
    struct vector list; /* struct native_frames, element 0 is empty */
    uint32_t count;
    struct index by_point; /* by module and offset */
    struct native_modules modules;
    struct native_symbols symbols;
    bool has_symbols; /* false before the first module */
    bool download;    /* ask servers for debug information; set before that */
    struct native_chain_nodes chain_nodes;
};

bool native_table_init(struct native_table *table);
void native_table_deinit(struct native_table *table);

/* Where a point's number stands, or would stand (0); null when memory is short. */
uint32_t *native_table_number(struct native_table *table, struct native_point point);

static inline const struct native_frames *native_frames_at(const struct native_table *table,
                                                           uint32_t number)
{
    return (const struct native_frames *)table->list.data + number;
}

#endif
