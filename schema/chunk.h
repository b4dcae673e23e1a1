/*
 * The compressed tables of a recording.
 *
 * Each chunk is a zstd frame (packing.h) around a run of varints (varint.h), row after row:
 *   node_chunk      node - parent (at least 1); zigzag(location - location of the row before)
 *   counter_chunk   zigzag(node - node of the row before); thread; allocator | size class << 3;
 *                   allocations; allocated bytes; peak blocks, bytes; end blocks, bytes;
 *                   leaked blocks, bytes; temporary blocks, bytes
 *   checkpoint_chunk  counter - counter of the row before (at least 1); blocks (at least 1); bytes
 *   slice_chunk     counter - counter of the row before (at least 1); allocations; allocated bytes;
 *                   zigzag(blocks), zigzag(bytes): by how much what it holds has changed
 * "The row before" the first one is all zeros.
 *
 * The size class of a block of s bytes is 0 for s = 0, else 1 + ceil(log2 s): class c holds the
 * sizes in (2^(c-2), 2^(c-1)].
 *
 * Encoders append rows to a struct chunk_writer; decoders hand out rows one by one and refuse
 * whatever does not decode to exactly the rows announced. Not thread-safe; no global state.
 */
#ifndef HEAPLINE_SCHEMA_CHUNK_H
#define HEAPLINE_SCHEMA_CHUNK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "packing.h"

#define CHUNK_ROWS         4096u
#define CHUNK_SIZE_CLASSES 64u

struct node_row {
    uint32_t parent;
    uint32_t location;
};

struct counter_row {
    uint32_t node;
    uint32_t thread;   /* thread.id of the recording */
    uint8_t allocator; /* enum wire_allocator */
    uint8_t size_class;
    uint64_t allocations, allocated_bytes;
    uint64_t peak_blocks, peak_bytes;
    uint64_t end_blocks, end_bytes;
    uint64_t leaked_blocks, leaked_bytes;
    uint64_t temporary_blocks, temporary_bytes; /* freed before the thread's next allocation */
};

/* Adds what one counter was and held to sums of several, but for what was temporary. */
static inline void counter_row_add(struct counter_row *sums, const struct counter_row *row)
{
    sums->allocations += row->allocations;
    sums->allocated_bytes += row->allocated_bytes;
    sums->peak_blocks += row->peak_blocks;
    sums->peak_bytes += row->peak_bytes;
    sums->end_blocks += row->end_blocks;
    sums->end_bytes += row->end_bytes;
    sums->leaked_blocks += row->leaked_blocks;
    sums->leaked_bytes += row->leaked_bytes;
}

/* What a counter holds at a checkpoint; counters that hold nothing have no row. */
struct live_row {
    uint32_t counter; /* of the process: its counter_row is number counter - 1 */
    uint64_t blocks, bytes;
};

/* What has happened to a counter in a slice of time; counters that have not changed have no row. */
struct change_row {
    uint32_t counter; /* as above */
    uint64_t allocations, allocated_bytes;
    int64_t blocks, bytes; /* by how much what it holds has changed */
};

static inline unsigned size_class_of(uint64_t size)
{
    return size <= 1 ? (unsigned)size : 65u - (unsigned)__builtin_clzll(size - 1);
}

/* Collects rows, then compresses them. Reusable: chunk_writer_finish() empties it. */
struct chunk_writer {
    struct packer packer;
    uint8_t *plain;
    size_t used;
    uint32_t rows;
    uint32_t previous; /* location, node or counter of the row before */
};

/* False when memory is short. */
bool chunk_writer_init(struct chunk_writer *writer);
void chunk_writer_deinit(struct chunk_writer *writer);
/* Between two finishes: gives memory back until there are rows again. */
void chunk_writer_rest(struct chunk_writer *writer);
/* At most CHUNK_ROWS rows between two finishes, all of one kind. `node` is the row's own number. */
void chunk_add_node(struct chunk_writer *writer, uint32_t node, const struct node_row *row);
void chunk_add_counter(struct chunk_writer *writer, const struct counter_row *row);
void chunk_add_live(struct chunk_writer *writer, const struct live_row *row);
void chunk_add_change(struct chunk_writer *writer, const struct change_row *row);
/* Compresses; the bytes belong to the writer and stay valid until it is used again. Returns 0 when
 * zstd fails. */
size_t chunk_writer_finish(struct chunk_writer *writer, const uint8_t **data);

/* Hands out the rows of one chunk. */
struct chunk_reader {
    struct unpacker unpacker;
    const uint8_t *at;
    const uint8_t *end;
    uint32_t previous;
};

bool chunk_reader_init(struct chunk_reader *reader);
void chunk_reader_deinit(struct chunk_reader *reader);
/* Begins a chunk of `size` bytes; false when it is no zstd frame of a plausible size. */
bool chunk_reader_open(struct chunk_reader *reader, const void *data, size_t size);
/* The next row; false when it is damaged. `node` is the row's own number; parents are smaller. */
bool chunk_next_node(struct chunk_reader *reader, uint32_t node, struct node_row *row);
bool chunk_next_counter(struct chunk_reader *reader, struct counter_row *row);
bool chunk_next_live(struct chunk_reader *reader, struct live_row *row);
bool chunk_next_change(struct chunk_reader *reader, struct change_row *row);
/* True when all bytes have been used. */
bool chunk_reader_at_end(const struct chunk_reader *reader);

#endif
