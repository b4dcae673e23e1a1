/*
 * Encoding and decoding of the recording's chunks; the layouts stand in chunk.h.
 */
#include "chunk.h"

#include <stdlib.h>

#include "pages.h"
#include "varint.h"
#include "wire.h"

#define ROW_VARINTS     13u
#define PLAIN_BYTES_MAX (CHUNK_ROWS * ROW_VARINTS * VARINT_BYTES_MAX)

bool chunk_writer_init(struct chunk_writer *writer)
{
    *writer = (struct chunk_writer){.plain = malloc(PLAIN_BYTES_MAX)};
    if (packer_init(&writer->packer) && writer->plain)
        return true;
    chunk_writer_deinit(writer);
    return false;
}

void chunk_writer_deinit(struct chunk_writer *writer)
{
    packer_deinit(&writer->packer);
    free(writer->plain);
    *writer = (struct chunk_writer){0};
}

void chunk_writer_rest(struct chunk_writer *writer)
{
    if (writer->rows)
        return;
    packer_rest(&writer->packer);
    pages_give_back(writer->plain, PLAIN_BYTES_MAX);
}

void chunk_add_node(struct chunk_writer *writer, uint32_t node, const struct node_row *row)
{
    uint8_t *out = writer->plain + writer->used;
    out = varint_put(out, node - row->parent);
    out = varint_put(out, zigzag((int64_t)row->location - writer->previous));
    writer->previous = row->location;
    writer->used = (size_t)(out - writer->plain);
    writer->rows++;
}

void chunk_add_counter(struct chunk_writer *writer, const struct counter_row *row)
{
    uint8_t *out = writer->plain + writer->used;
    out = varint_put(out, zigzag((int64_t)row->node - writer->previous));
    out = varint_put(out, row->thread);
    out = varint_put(out, row->allocator | (uint64_t)row->size_class << 3);
    const uint64_t counts[] = {row->allocations,    row->allocated_bytes, row->peak_blocks,
                               row->peak_bytes,     row->end_blocks,      row->end_bytes,
                               row->leaked_blocks,  row->leaked_bytes,    row->temporary_blocks,
                               row->temporary_bytes};
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
        out = varint_put(out, counts[i]);
    writer->previous = row->node;
    writer->used = (size_t)(out - writer->plain);
    writer->rows++;
}

void chunk_add_live(struct chunk_writer *writer, const struct live_row *row)
{
    uint8_t *out = writer->plain + writer->used;
    out = varint_put(out, row->counter - writer->previous);
    out = varint_put(out, row->blocks);
    out = varint_put(out, row->bytes);
    writer->previous = row->counter;
    writer->used = (size_t)(out - writer->plain);
    writer->rows++;
}

void chunk_add_change(struct chunk_writer *writer, const struct change_row *row)
{
    uint8_t *out = writer->plain + writer->used;
    out = varint_put(out, row->counter - writer->previous);
    out = varint_put(out, row->allocations);
    out = varint_put(out, row->allocated_bytes);
    out = varint_put(out, zigzag(row->blocks));
    out = varint_put(out, zigzag(row->bytes));
    writer->previous = row->counter;
    writer->used = (size_t)(out - writer->plain);
    writer->rows++;
}

size_t chunk_writer_finish(struct chunk_writer *writer, const uint8_t **data)
{
    size_t size = packer_pack(&writer->packer, writer->plain, writer->used, data);
    writer->used = 0;
    writer->rows = 0;
    writer->previous = 0;
    return size;
}

bool chunk_reader_init(struct chunk_reader *reader)
{
    *reader = (struct chunk_reader){0};
    return unpacker_init(&reader->unpacker);
}

void chunk_reader_deinit(struct chunk_reader *reader)
{
    unpacker_deinit(&reader->unpacker);
    *reader = (struct chunk_reader){0};
}

bool chunk_reader_open(struct chunk_reader *reader, const void *data, size_t size)
{
    size_t plain;
    if (!unpacker_unpack(&reader->unpacker, data, size, PLAIN_BYTES_MAX, &plain))
        return false;
    reader->at = reader->unpacker.plain;
    reader->end = reader->at + plain;
    reader->previous = 0;
    return true;
}

/* Adds a zigzag difference to the value of the row before. */
static bool next_difference(struct chunk_reader *reader, uint32_t *value)
{
    uint64_t raw;
    if (!varint_get(&reader->at, reader->end, &raw))
        return false;
    int64_t difference = unzigzag(raw);
    if (difference < -(int64_t)UINT32_MAX || difference > (int64_t)UINT32_MAX)
        return false;
    int64_t result = (int64_t)reader->previous + difference;
    if (result < 0 || result > (int64_t)UINT32_MAX)
        return false;
    *value = reader->previous = (uint32_t)result;
    return true;
}

bool chunk_next_node(struct chunk_reader *reader, uint32_t node, struct node_row *row)
{
    uint64_t distance;
    if (!varint_get(&reader->at, reader->end, &distance) || distance < 1 || distance > node)
        return false;
    row->parent = (uint32_t)(node - distance);
    return next_difference(reader, &row->location);
}

bool chunk_next_counter(struct chunk_reader *reader, struct counter_row *row)
{
    uint64_t thread, kind;
    if (!next_difference(reader, &row->node) || !varint_get(&reader->at, reader->end, &thread) ||
        thread > UINT32_MAX || !varint_get(&reader->at, reader->end, &kind))
        return false;
    row->thread = (uint32_t)thread;
    row->allocator = (uint8_t)(kind & 7);
    if (row->allocator >= WIRE_ALLOCATOR_COUNT || kind >> 3 > CHUNK_SIZE_CLASSES)
        return false;
    row->size_class = (uint8_t)(kind >> 3);
    uint64_t *const counts[] = {&row->allocations,    &row->allocated_bytes, &row->peak_blocks,
                                &row->peak_bytes,     &row->end_blocks,      &row->end_bytes,
                                &row->leaked_blocks,  &row->leaked_bytes,    &row->temporary_blocks,
                                &row->temporary_bytes};
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
        if (!varint_get(&reader->at, reader->end, counts[i]))
            return false;
    return true;
}

/* Counters rise. */
static bool next_number(struct chunk_reader *reader, uint32_t *counter)
{
    uint64_t step;
    if (!varint_get(&reader->at, reader->end, &step) || step < 1 ||
        step > UINT32_MAX - reader->previous)
        return false;
    *counter = reader->previous += (uint32_t)step;
    return true;
}

bool chunk_next_live(struct chunk_reader *reader, struct live_row *row)
{
    return next_number(reader, &row->counter) &&
           varint_get(&reader->at, reader->end, &row->blocks) && row->blocks >= 1 &&
           varint_get(&reader->at, reader->end, &row->bytes);
}

bool chunk_next_change(struct chunk_reader *reader, struct change_row *row)
{
    uint64_t blocks, bytes;
    if (!next_number(reader, &row->counter) ||
        !varint_get(&reader->at, reader->end, &row->allocations) ||
        !varint_get(&reader->at, reader->end, &row->allocated_bytes) ||
        !varint_get(&reader->at, reader->end, &blocks) ||
        !varint_get(&reader->at, reader->end, &bytes))
        return false;
    row->blocks = unzigzag(blocks);
    row->bytes = unzigzag(bytes);
    return true;
}

bool chunk_reader_at_end(const struct chunk_reader *reader)
{
    return reader->at == reader->end;
}
