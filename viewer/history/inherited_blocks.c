/*
 * All generations play into the same table: a child's blocks are numbered on from its parent's, and
 * what it frees of those has their numbers.
 */
#include "viewer/history/inherited_blocks.h"

#include <stdlib.h>

#include "viewer/base/cleanup.h"
#include "viewer/base/memory.h"
#include "viewer/base/order.h"
#include "viewer/history/history_walk.h"
#include "viewer/recording/ancestry.h"
#include "viewer/recording/counters.h"

#define FREE_SLOT          UINT64_MAX
#define CAPACITY_AT_FIRST  1024u
#define CAPACITY_PER_BLOCK 2u

void inherited_blocks_deinit(struct inherited_blocks *blocks)
{
    free(blocks->slots);
    *blocks = (struct inherited_blocks){0};
}

/* --- the table --- */

static size_t first_slot(const struct inherited_blocks *blocks, uint64_t number)
{
    return (size_t)(number * UINT64_C(0x9e3779b97f4a7c15) >> 20) & (blocks->capacity - 1);
}

/* The slot of the block, or the free one where it would be. */
static struct inherited_block *slot_of(const struct inherited_blocks *blocks, uint64_t number)
{
    size_t at = first_slot(blocks, number);
    while (blocks->slots[at].size != FREE_SLOT && blocks->slots[at].number != number)
        at = (at + 1) & (blocks->capacity - 1);
    return &blocks->slots[at];
}

static void set_capacity(struct inherited_blocks *blocks, size_t capacity)
{
    struct inherited_block *old = blocks->slots;
    size_t old_capacity = blocks->capacity;
    blocks->slots = memory_new(capacity, sizeof *blocks->slots);
    blocks->capacity = capacity;
    for (size_t i = 0; i < capacity; i++)
        blocks->slots[i].size = FREE_SLOT;
    for (size_t i = 0; i < old_capacity; i++)
        if (old[i].size != FREE_SLOT)
            *slot_of(blocks, old[i].number) = old[i];
    free(old);
}

static void block_put(struct inherited_blocks *blocks, const struct inherited_block *block)
{
    if (!blocks->capacity)
        set_capacity(blocks, CAPACITY_AT_FIRST);
    if (blocks->count * CAPACITY_PER_BLOCK >= blocks->capacity)
        set_capacity(blocks, blocks->capacity * 2);
    struct inherited_block *slot = slot_of(blocks, block->number);
    blocks->count += slot->size == FREE_SLOT;
    *slot = *block;
}

/* Those behind it that would not be found any more move up. */
static void block_take(struct inherited_blocks *blocks, uint64_t number)
{
    if (!blocks->capacity)
        return;
    struct inherited_block *slot = slot_of(blocks, number);
    if (slot->size == FREE_SLOT)
        return;
    slot->size = FREE_SLOT;
    blocks->count--;
    size_t at = (size_t)(slot - blocks->slots);
    for (;;) {
        at = (at + 1) & (blocks->capacity - 1);
        struct inherited_block moved = blocks->slots[at];
        if (moved.size == FREE_SLOT)
            return;
        blocks->slots[at].size = FREE_SLOT;
        *slot_of(blocks, moved.number) = moved;
    }
}

/* --- playing --- */

struct kinds {
    struct block_kind *list; /* by counter */
    uint32_t count;
};

static bool take_kind(void *context, uint32_t number, const struct counter_row *row)
{
    struct kinds *kinds = context;
    if (number >= kinds->count)
        return false;
    kinds->list[number] = (struct block_kind){row->node, row->thread, row->allocator};
    return true;
}

static bool play_events(struct inherited_blocks *blocks, struct database *database,
                        const struct ancestor *ancestor, uint64_t from, const struct kinds *kinds)
{
    CLEANUP(history_walk_deinit) struct history_walk walk;
    if (!history_walk_init(&walk, database, ancestor->process, ancestor->counters, from,
                           ancestor->events))
        return false;
    struct history_event event;
    enum rows_step step;
    while ((step = history_walk_next(&walk, &event)) == ROWS_ROW) {
        if (walk.next <= from)
            continue; /* of the chunk in which `from` lies */
        if (event.kind == HISTORY_FREE)
            block_take(blocks, event.block);
        else
            block_put(blocks, &(struct inherited_block){event.block, event.pair->size,
                                                        kinds->list[event.pair->counter - 1]});
    }
    return step == ROWS_END;
}

static bool ancestor_play(struct inherited_blocks *blocks, struct database *database,
                          const struct ancestor *ancestor, uint64_t from)
{
    struct kinds kinds = {memory_new(ancestor->counters, sizeof *kinds.list), ancestor->counters};
    bool good = counters_read(database, ancestor->process, take_kind, &kinds) &&
                play_events(blocks, database, ancestor, from, &kinds);
    free(kinds.list);
    blocks->process = ancestor->process;
    blocks->events = ancestor->events;
    return good;
}

static bool play_all(struct inherited_blocks *blocks, struct database *database,
                     const struct ancestry *ancestry)
{
    const struct ancestor *last = &ancestry->list[ancestry->count - 1];
    if (blocks->process == last->process && blocks->events <= last->events)
        return ancestor_play(blocks, database, last, blocks->events);
    inherited_blocks_deinit(blocks);
    for (size_t i = 0; i < ancestry->count; i++)
        if (!ancestor_play(blocks, database, &ancestry->list[i], 0))
            return false;
    return true;
}

static int compare_blocks(const void *a, const void *b)
{
    const struct inherited_block *one = a, *other = b;
    return ORDER(one->number, other->number);
}

bool inherited_blocks_find(struct inherited_blocks *blocks, struct database *database,
                           uint32_t process, struct inherited_block **list, size_t *count)
{
    CLEANUP(ancestry_deinit) struct ancestry ancestry;
    *list = NULL;
    *count = 0;
    if (!ancestry_init(&ancestry, database, process) ||
        (ancestry.count && !play_all(blocks, database, &ancestry)))
        return false;
    if (!ancestry.count)
        return true;
    *list = memory_new(blocks->count, sizeof **list);
    for (size_t i = 0; i < blocks->capacity; i++)
        if (blocks->slots[i].size != FREE_SLOT)
            (*list)[(*count)++] = blocks->slots[i];
    if (*count)
        qsort(*list, *count, sizeof **list, compare_blocks);
    return true;
}
