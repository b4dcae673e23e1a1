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

/* A range of one of the mappings, and which. */
struct inherited_range {
    uint64_t start, end;
    uint32_t mapping;
};

struct inheritance {
    struct inheritance *next; /* noted later */
    uint64_t noted_ns;
    uint64_t place;
    pid_t parent;
    uint32_t token;
    uint64_t count;                 /* of blocks of the heap */
    struct inherited_block *blocks; /* these, then the mappings */
    uint32_t mapping_count, range_count;
    struct inherited_range *ranges; /* in order of address */
};

/* A copy that is being made. */
struct copy {
    const struct counters *counters;
    struct inheritance *to;
};

static struct inherited_block counted_in(const struct counter *counter, uint64_t size)
{
    return (struct inherited_block){
        .size = size,
        .allocator = counter->allocator,
        .size_class = counter->size_class,
        .node = counter->node,
        .thread = counter->thread,
    };
}

static void copy_block(void *context, const struct block *block)
{
    struct copy *copy = context;
    struct inherited_block *to = &copy->to->blocks[copy->to->count++];
    *to = counted_in(counters_at(copy->counters, block->counter), block->size);
    to->address = block->address;
}

/* `places`: by mapping, which of the copies it is, plus 1; 0: none yet. */
static void copy_range(struct inheritance *to, const struct process *parent,
                       const struct mapping_range *range, uint32_t *places)
{
    const struct mapping *mapping = mappings_at(&parent->mappings, range->mapping);
    uint32_t *place = &places[range->mapping];
    if (!*place) {
        to->blocks[to->count + to->mapping_count] =
            counted_in(counters_at(&parent->counters, mapping->counter), mapping->bytes);
        *place = ++to->mapping_count;
    }
    to->ranges[to->range_count++] = (struct inherited_range){range->start, range->end, *place - 1};
}

/* False when memory is short. */
static bool copy_mappings(struct inheritance *to, const struct process *parent)
{
    const struct mappings *mappings = &parent->mappings;
    uint32_t *places = calloc((size_t)mappings->all_used + 1, sizeof *places);
    const struct mapping_range *range;
    for (uint32_t number = mappings_from(mappings, 0); places && number;
         number = mappings_from(mappings, range->end)) {
        range = mappings_range(mappings, number);
        copy_range(to, parent, range, places);
    }
    bool done = places != NULL;
    free(places);
    return done;
}

/* Room for what the parent has; null when memory is short. */
static struct inheritance *inheritance_new(const struct process *parent, uint32_t token)
{
    struct inheritance *inheritance = calloc(1, sizeof *inheritance);
    if (!inheritance)
        return NULL;
    size_t ranges = parent->mappings.live_ranges, blocks = parent->heap.live + ranges;
    inheritance->place = parent->place;
    inheritance->parent = parent->pid;
    inheritance->token = token;
    inheritance->noted_ns = clock_now();
    inheritance->blocks = malloc((blocks + 1) * sizeof *inheritance->blocks);
    inheritance->ranges = malloc((ranges + 1) * sizeof *inheritance->ranges);
    if (inheritance->blocks && inheritance->ranges)
        return inheritance;
    inheritance_free(inheritance);
    return NULL;
}

static uint64_t blocks_of(const struct inheritance *inheritance)
{
    return inheritance->count + inheritance->range_count;
}

/* Takes one out of those that wait. */
static struct inheritance *take(struct run *run, struct inheritance **at)
{
    struct inheritance *taken = *at;
    *at = taken->next;
    run->inherited_blocks -= blocks_of(taken);
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
    make_room(run, parent->heap.live + parent->mappings.live_ranges);
    struct inheritance *inheritance = inheritance_new(parent, token);
    if (!inheritance) {
        run->memory_short = true;
        return;
    }
    live_heap_visit(&parent->heap, copy_block, &(struct copy){&parent->counters, inheritance});
    if (!copy_mappings(inheritance, parent))
        run->memory_short = true;
    struct inheritance **last = &run->inheritances;
    while (*last)
        last = &(*last)->next;
    *last = inheritance;
    run->inherited_blocks += blocks_of(inheritance);
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

static uint32_t counter_for(struct process *child, const struct inherited_block *from)
{
    return counters_find(&child->counters, from->node, from->thread, (uint8_t)from->allocator,
                         (uint8_t)from->size_class);
}

/* The child has the block, of this counter. */
static void count(struct run *run, struct process *child, uint32_t number, uint64_t size)
{
    child->blocks_made++;
    struct counter *counter = counters_at(&child->counters, number);
    counter->inherited = true;
    if (process_keeps_history(run, child))
        history_allocate(&child->history.writer, number, size);
    counter_inherit(counter, &child->sums, size);
}

static bool give(struct run *run, struct process *child, const struct inherited_block *from)
{
    struct block block = {
        .address = from->address,
        .size = from->size,
        .counter = counter_for(child, from),
    };
    process_number_block(child, &block);
    if (!block.counter || !live_heap_add(&child->heap, &block))
        return false;
    count(run, child, block.counter, block.size);
    return true;
}

/* Gives a mapping, without its ranges. Returns its number in the child, 0: memory is short. */
static uint32_t give_mapping(struct run *run, struct process *child,
                             const struct inherited_block *from)
{
    struct mapping mapping = {
        .bytes = from->size,
        .number = child->blocks_made,
        .born = child->history.writer.now_ms,
        .counter = counter_for(child, from),
    };
    uint32_t number = mapping.counter ? mappings_add(&child->mappings, &mapping) : 0;
    if (number)
        count(run, child, mapping.counter, mapping.bytes);
    return number;
}

static bool give_mappings(struct run *run, struct process *child, const struct inheritance *from)
{
    uint32_t *numbers = calloc((size_t)from->mapping_count + 1, sizeof *numbers);
    bool good = numbers;
    for (uint32_t i = 0; good && i < from->mapping_count; i++)
        good = (numbers[i] = give_mapping(run, child, &from->blocks[from->count + i]));
    for (uint32_t i = 0; good && i < from->range_count; i++) {
        const struct inherited_range *range = &from->ranges[i];
        good =
            mappings_add_range(&child->mappings, range->start, range->end, numbers[range->mapping]);
    }
    free(numbers);
    return good;
}

void inheritance_apply(struct run *run, struct process *child, const struct inheritance *from)
{
    live_heap_reserve(&child->heap, from->count);
    for (uint64_t i = 0; i < from->count; i++)
        if (!give(run, child, &from->blocks[i])) {
            run->memory_short = true;
            return;
        }
    if (!give_mappings(run, child, from))
        run->memory_short = true;
}

void inheritance_free(struct inheritance *inheritance)
{
    if (!inheritance)
        return;
    free(inheritance->blocks);
    free(inheritance->ranges);
    free(inheritance);
}

void inheritance_free_all(struct run *run)
{
    while (run->inheritances)
        inheritance_free(take(run, &run->inheritances));
}
