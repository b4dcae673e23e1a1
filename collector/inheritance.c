/*
 * Copies of live heaps on their way from parent to child.
 */
#include "inheritance.h"

#include <stdlib.h>

#include "clock.h"
#include "process.h"

/* Of all that waits together. Most children say hello at once. */
#define WAITING_MAX        1024u
#define WAITING_BLOCKS_MAX (UINT64_C(8) << 20)

struct inherited_block {
    uint64_t address;
    uint64_t size : 48;
    uint64_t allocator : 8;
    uint64_t size_class : 8;
    uint32_t node, thread;
};

struct inheritance {
    struct inheritance *next; /* noted later */
    uint64_t noted_ns;
    uint64_t place;
    pid_t parent;
    uint32_t token;
    uint64_t count;
    struct inherited_block blocks[];
};

/* A copy that is being made. */
struct copy {
    const struct counters *counters;
    struct inheritance *to;
};

static void copy_block(void *context, const struct block *block)
{
    struct copy *copy = context;
    const struct counter *counter = counters_at(copy->counters, block->counter);
    copy->to->blocks[copy->to->count++] = (struct inherited_block){
        .address = block->address,
        .size = block->size,
        .allocator = counter->allocator,
        .size_class = counter->size_class,
        .node = counter->node,
        .thread = counter->thread,
    };
}

/* Takes one out of those that wait. */
static struct inheritance *take(struct run *run, struct inheritance **at)
{
    struct inheritance *taken = *at;
    *at = taken->next;
    run->inherited_blocks -= taken->count;
    run->inheritance_count--;
    return taken;
}

/* Makes room for one of so many blocks: the oldest go. */
static void make_room(struct run *run, uint64_t blocks)
{
    while (run->inheritances && (run->inheritance_count >= WAITING_MAX ||
                                 run->inherited_blocks + blocks > WAITING_BLOCKS_MAX))
        inheritance_free(take(run, &run->inheritances));
}

void inheritance_drop_old(struct run *run, uint64_t now_ns)
{
    while (run->inheritances && run->inheritances->noted_ns + INHERITANCE_PATIENCE_NS < now_ns)
        inheritance_free(take(run, &run->inheritances));
}

void inheritance_note(struct run *run, const struct process *parent, uint32_t token)
{
    make_room(run, parent->heap.live);
    struct inheritance *inheritance =
        malloc(sizeof *inheritance + parent->heap.live * sizeof *inheritance->blocks);
    if (!inheritance) {
        run->memory_short = true;
        return;
    }
    *inheritance = (struct inheritance){
        .noted_ns = clock_now(), .place = parent->place, .parent = parent->pid, .token = token};
    live_heap_visit(&parent->heap, copy_block, &(struct copy){&parent->counters, inheritance});
    struct inheritance **last = &run->inheritances;
    while (*last)
        last = &(*last)->next;
    *last = inheritance;
    run->inherited_blocks += inheritance->count;
    run->inheritance_count++;
}

static bool is_of(const struct inheritance *noted, uint64_t place, pid_t parent, uint32_t token)
{
    return noted->place == place && noted->parent == parent && noted->token == token;
}

bool inheritance_is_noted(const struct run *run, uint64_t place, pid_t parent, uint32_t token)
{
    for (const struct inheritance *at = run->inheritances; at; at = at->next)
        if (is_of(at, place, parent, token))
            return true;
    return false;
}

struct inheritance *inheritance_take(struct run *run, uint64_t place, pid_t parent, uint32_t token)
{
    for (struct inheritance **at = &run->inheritances; *at; at = &(*at)->next)
        if (is_of(*at, place, parent, token))
            return take(run, at);
    return NULL;
}

static bool give(struct run *run, struct process *child, const struct inherited_block *from)
{
    struct block block = {
        .address = from->address,
        .size = from->size,
        .counter = counters_find(&child->counters, from->node, from->thread,
                                 (uint8_t)from->allocator, (uint8_t)from->size_class),
    };
    process_number_block(child, &block);
    if (!block.counter || !live_heap_add(&child->heap, &block))
        return false;
    child->blocks_made++;
    struct counter *counter = counters_at(&child->counters, block.counter);
    counter->inherited = true;
    if (process_keeps_history(run, child))
        history_allocate(&child->history.writer, block.counter, block.size);
    counter_inherit(counter, &child->sums, block.size);
    return true;
}

void inheritance_apply(struct run *run, struct process *child, const struct inheritance *from)
{
    live_heap_reserve(&child->heap, from->count);
    for (uint64_t i = 0; i < from->count; i++)
        if (!give(run, child, &from->blocks[i])) {
            run->memory_short = true;
            return;
        }
}

void inheritance_free(struct inheritance *inheritance)
{
    free(inheritance);
}

void inheritance_free_all(struct run *run)
{
    while (run->inheritances)
        inheritance_free(take(run, &run->inheritances));
}
