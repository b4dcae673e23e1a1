/*
 * A list, found by a hash table. Whenever it is full, what has come to nothing is left out.
 */
#include "viewer/html/survivors.h"

#include <stdlib.h>

#include "viewer/base/memory.h"

void survivors_deinit(struct survivors *survivors)
{
    index_deinit(&survivors->index);
    free(survivors->list);
    *survivors = (struct survivors){0};
}

static uint64_t key_of(uint32_t row, uint32_t born)
{
    return (uint64_t)row << 32 | born;
}

static void make_room(struct survivors *survivors)
{
    size_t kept = 0;
    index_deinit(&survivors->index);
    for (size_t i = 0; i < survivors->count; i++) {
        struct survivor survivor = survivors->list[i];
        if (!survivor.blocks && !survivor.bytes)
            continue;
        index_add(&survivors->index, key_of(survivor.row, survivor.born), (uint32_t)kept);
        survivors->list[kept++] = survivor;
    }
    survivors->count = kept;
    if (kept * 2 < survivors->capacity)
        return;
    survivors->capacity = survivors->capacity * 2 + 1024;
    survivors->list = memory_resize(survivors->list, survivors->capacity, sizeof *survivors->list);
}

void survivors_add(struct survivors *survivors, uint32_t row, uint32_t born, int64_t blocks,
                   int64_t bytes)
{
    if (survivors->count == survivors->capacity)
        make_room(survivors);
    uint32_t number = index_add(&survivors->index, key_of(row, born), (uint32_t)survivors->count);
    if (number == survivors->count)
        survivors->list[survivors->count++] = (struct survivor){row, born, 0, 0};
    survivors->list[number].blocks += blocks;
    survivors->list[number].bytes += bytes;
}
