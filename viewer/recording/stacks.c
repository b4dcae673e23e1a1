/*
 * Decodes the node chunks into two arrays. Chunks must follow each other without a gap, each must
 * hold exactly the rows that it announces, and each location must exist; all else is damage.
 */
#include "viewer/recording/stacks.h"

#include <inttypes.h>
#include <stdlib.h>

#include "chunk.h"
#include "viewer/base/cleanup.h"
#include "viewer/base/memory.h"

static void stacks_reserve(struct stacks *stacks, size_t *capacity, size_t more)
{
    if (stacks->count + more <= *capacity)
        return;
    *capacity = 2 * (stacks->count + more);
    stacks->parent = memory_resize(stacks->parent, *capacity, sizeof *stacks->parent);
    stacks->location = memory_resize(stacks->location, *capacity, sizeof *stacks->location);
}

static bool stacks_decode(struct stacks *stacks, struct chunk_reader *reader, size_t count,
                          const struct symbols *symbols)
{
    for (size_t i = 0; i < count; i++, stacks->count++) {
        struct node_row row;
        if (!chunk_next_node(reader, (uint32_t)stacks->count, &row) ||
            !symbols_has_location(symbols, row.location))
            return false;
        stacks->parent[stacks->count] = row.parent;
        stacks->location[stacks->count] = row.location;
    }
    return chunk_reader_at_end(reader);
}

static bool stacks_load(struct stacks *stacks, struct chunk_reader *reader,
                        struct database *database, const struct symbols *symbols)
{
    CLEANUP(rows_deinit) struct rows rows;
    if (!rows_init(&rows, database, "SELECT first, count, data FROM node_chunk ORDER BY first"))
        return false;
    size_t capacity = 0;
    stacks_reserve(stacks, &capacity, 1);
    stacks->parent[0] = stacks->location[0] = 0;
    stacks->count = 1;
    enum rows_step step;
    while ((step = rows_next(&rows)) == ROWS_ROW) {
        int64_t first, count;
        const void *data;
        size_t size;
        if (!rows_whole(&rows, 0, 1, UINT32_MAX - CHUNK_ROWS, &first) ||
            !rows_whole(&rows, 1, 1, CHUNK_ROWS, &count) || !rows_blob(&rows, 2, &data, &size))
            return false;
        stacks_reserve(stacks, &capacity, (size_t)count);
        if ((size_t)first != stacks->count || !chunk_reader_open(reader, data, size) ||
            !stacks_decode(stacks, reader, (size_t)count, symbols))
            return database_damaged(database, "in the stacks from %" PRId64 " on", first);
    }
    return step == ROWS_END;
}

bool stacks_init(struct stacks *stacks, struct database *database, const struct symbols *symbols)
{
    CLEANUP(chunk_reader_deinit) struct chunk_reader reader;
    if (!chunk_reader_init(&reader))
        return database_damaged(database, "not enough memory for its stacks");
    return stacks_load(stacks, &reader, database, symbols);
}

void stacks_deinit(struct stacks *stacks)
{
    free(stacks->parent);
    free(stacks->location);
}

size_t stacks_depth(const struct stacks *stacks, uint32_t node)
{
    size_t depth = 0;
    for (; node; node = stacks->parent[node])
        depth++;
    return depth;
}

uint32_t *stacks_path(const struct stacks *stacks, uint32_t node, size_t *depth)
{
    *depth = stacks_depth(stacks, node);
    uint32_t *locations = memory_new(*depth, sizeof *locations);
    for (size_t i = *depth; node; node = stacks->parent[node])
        locations[--i] = stacks->location[node];
    return locations;
}
