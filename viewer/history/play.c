/*
 * Going through a whole history, by each chunk's own account or event by event.
 */
#include "viewer/history/play.h"

#include <search.h>
#include <stdlib.h>

#include "allocators.h"
#include "viewer/base/cleanup.h"
#include "viewer/base/memory.h"
#include "viewer/base/order.h"
#include "viewer/history/block_times.h"
#include "viewer/history/history_walk.h"
#include "viewer/recording/counters.h"
#include "viewer/recording/inheritance.h"

bool history_play(struct recording *recording, size_t process, uint64_t events, struct held **held)
{
    const struct process *of = &recording->processes[process];
    *held = memory_new(of->counter_count, sizeof **held);
    if (!history_is_kept(recording))
        return false;
    CLEANUP(history_walk_deinit) struct history_walk walk;
    if (!history_walk_init(&walk, &recording->database, of->id, of->counter_count, 0, events))
        return false;
    history_walk_tell(&walk);
    struct history_event event;
    enum rows_step step;
    while ((step = history_walk_next(&walk, &event)) == ROWS_ROW)
        held_change(&(*held)[event.pair->counter - 1], &event);
    if (step == ROWS_END && walk.next < events)
        return history_walk_damaged(&walk);
    inheritance_add(of, *held);
    return step == ROWS_END;
}

/* --- lifetimes --- */

bool history_lifetimes(struct recording *recording, size_t process, struct lifetimes **lifetimes)
{
    const struct process *of = &recording->processes[process];
    *lifetimes = memory_new(of->counter_count, sizeof **lifetimes);
    if (!history_is_kept(recording))
        return false;
    CLEANUP(history_walk_deinit) struct history_walk walk;
    if (!history_walk_init(&walk, &recording->database, of->id, of->counter_count, 0, of->events))
        return false;
    history_walk_tell(&walk);
    enum rows_step step;
    while ((step = history_walk_lifetimes(&walk, *lifetimes)) == ROWS_ROW)
        ;
    return step == ROWS_END;
}

/* How many deaths of blocks are kept in mind: a realloc that fails takes one back soon after. Those
 * of mappings are kept for good, for what was given back may be used again at any time. */
#define DEATHS_RECENT 64u

struct recent_death {
    uint64_t block;
    struct lifetime lifetime;
};

/* Lifetimes counted by playing. */
struct life_count {
    struct block_times times;
    struct lifetimes *lifetimes;
    bool *maps; /* by counter: are its blocks mappings? */
    uint64_t allocations;
    /* Lifetimes that may yet be taken back, by the block's number. */
    struct recent_death recent[DEATHS_RECENT];
    uint64_t deaths;
    void *of_mappings; /* tsearch() */
};

static void note_mapping(void *context, size_t process, uint32_t number,
                         const struct counter_row *row, bool inherited)
{
    const struct life_count *count = context;
    (void)process, (void)inherited;
    count->maps[number] = allocator_maps(row->allocator);
}

static int compare_deaths(const void *a, const void *b)
{
    const struct recent_death *left = a, *right = b;
    return ORDER(left->block, right->block);
}

static void life_count_deinit(struct life_count *count)
{
    tdestroy(count->of_mappings, free);
    block_times_deinit(&count->times);
    free(count->maps);
}

static void add_life(struct life_count *count, const struct history_event *event,
                     struct lifetime lifetime, int deaths)
{
    struct lifetimes *lifetimes = &count->lifetimes[event->pair->counter - 1];
    lifetimes->by_age[lifetime.age] += deaths;
    lifetimes->by_time[lifetime.time] += deaths;
}

static void keep_death(struct life_count *count, const struct recent_death *death)
{
    struct recent_death **kept = tfind(death, &count->of_mappings, compare_deaths);
    if (kept) {
        **kept = *death;
        return;
    }
    struct recent_death *copy = memory_new(1, sizeof *copy);
    *copy = *death;
    if (!tsearch(copy, &count->of_mappings, compare_deaths))
        memory_none();
}

static void count_death(struct life_count *count, const struct history_event *event)
{
    uint64_t born_us = block_times_find(&count->times, event->block);
    struct recent_death death = {event->block, lifetime_of(count->allocations - event->block,
                                                           (uint32_t)(born_us / 1000),
                                                           (uint32_t)(event->time_us / 1000))};
    add_life(count, event, death.lifetime, 1);
    if (count->maps[event->pair->counter - 1])
        keep_death(count, &death);
    else
        count->recent[count->deaths++ % DEATHS_RECENT] = death;
}

/* The latest death of the block; NULL: it is not kept in mind. */
static const struct recent_death *find_death(const struct life_count *count,
                                             const struct history_event *event)
{
    if (count->maps[event->pair->counter - 1]) {
        const struct recent_death key = {.block = event->block};
        struct recent_death *const *kept = tfind(&key, &count->of_mappings, compare_deaths);
        return kept ? *kept : NULL;
    }
    for (uint64_t back = 1; back <= DEATHS_RECENT && back <= count->deaths; back++) {
        const struct recent_death *death = &count->recent[(count->deaths - back) % DEATHS_RECENT];
        if (death->block == event->block)
            return death;
    }
    return NULL;
}

/* A realloc has failed that freed the block not long ago, or what was given back is used again. */
static void take_back_death(struct life_count *count, const struct history_event *event)
{
    const struct recent_death *death = find_death(count, event);
    if (death)
        add_life(count, event, death->lifetime, -1);
}

static void count_life(struct life_count *count, const struct history_event *event)
{
    switch (event->kind) {
    case HISTORY_ALLOCATION:
        count->allocations = event->block + 1;
        break;
    case HISTORY_FREE:
        count_death(count, event);
        break;
    case HISTORY_RESTORE:
        take_back_death(count, event);
        break;
    }
}

bool history_play_lifetimes(struct recording *recording, size_t process,
                            struct lifetimes **lifetimes)
{
    const struct process *of = &recording->processes[process];
    *lifetimes = memory_new(of->counter_count, sizeof **lifetimes);
    if (!history_is_kept(recording))
        return false;
    /* What was inherited may be freed before anything is allocated. */
    CLEANUP(life_count_deinit)
    struct life_count count = {.lifetimes = *lifetimes,
                               .maps = memory_new(of->counter_count, sizeof *count.maps),
                               .allocations = of->inherited.first_block};
    CLEANUP(history_walk_deinit) struct history_walk walk;
    bool good =
        counters_visit(recording, process, note_mapping, &count) &&
        history_walk_init(&walk, &recording->database, of->id, of->counter_count, 0, of->events) &&
        block_times_init(&count.times, &recording->database, of->id, of->counter_count, of->events);
    if (good)
        history_walk_tell(&walk);
    struct history_event event;
    enum rows_step step = ROWS_END;
    while (good && (step = history_walk_next(&walk, &event)) == ROWS_ROW) {
        const struct history_span *span = &walk.reader.span;
        if (span->first_event == 0 && span->first_block != of->inherited.first_block) {
            history_walk_damaged(&walk);
            good = false;
        }
        count_life(&count, &event);
    }
    return good && step == ROWS_END;
}

/* --- temporary allocations --- */

/* A block that a thread has allocated, and whether its free has been counted as a temporary one. */
struct recent {
    uint64_t block;
    bool counted;
};

/* A thread's allocations, a ring of them. */
struct latest {
    struct recent *ring;
    uint64_t count;
};

/* The ring holds some more than count as the latest: a free may be taken back a little later. */
#define RING_SPARE 16u

#define NO_THREAD UINT32_MAX

struct temporary_count {
    uint32_t n;
    uint32_t *thread_of; /* by counter; NO_THREAD: its blocks are inherited */
    const struct thread *threads_of_run;
    uint32_t process;       /* id */
    struct latest *threads; /* by thread */
    uint32_t thread_count, counter_count;
    struct held *temporary;
};

static bool take_thread(void *context, uint32_t number, const struct counter_row *row)
{
    struct temporary_count *count = context;
    if (number >= count->counter_count || row->thread >= count->thread_count)
        return false;
    bool inherited = count->threads_of_run[row->thread].process != count->process;
    count->thread_of[number] = inherited ? NO_THREAD : row->thread;
    return true;
}

/* The block among the thread's latest `reach` allocations; null when it is not. */
static struct recent *find_recent(const struct temporary_count *count, const struct latest *thread,
                                  uint32_t reach, uint64_t block)
{
    for (uint64_t back = 1; back <= reach && back <= thread->count; back++) {
        struct recent *recent = &thread->ring[(thread->count - back) % (count->n + RING_SPARE)];
        if (recent->block == block)
            return recent;
    }
    return NULL;
}

static void count_temporary(struct temporary_count *count, const struct history_event *event)
{
    uint32_t number = count->thread_of[event->pair->counter - 1];
    if (number == NO_THREAD)
        return;
    struct latest *thread = &count->threads[number];
    struct held *temporary = &count->temporary[event->pair->counter - 1];
    uint32_t size = count->n + RING_SPARE;
    struct recent *recent;
    switch (event->kind) {
    case HISTORY_ALLOCATION:
        if (!thread->ring)
            thread->ring = memory_new(size, sizeof *thread->ring);
        thread->ring[thread->count++ % size] = (struct recent){.block = event->block};
        break;
    case HISTORY_FREE:
        recent = find_recent(count, thread, count->n, event->block);
        if (recent) {
            recent->counted = true;
            held_add_blocks(temporary, 1, event->pair->size);
        }
        break;
    case HISTORY_RESTORE:
        recent = find_recent(count, thread, size, event->block);
        if (recent && recent->counted) {
            recent->counted = false;
            held_add_blocks(temporary, -1, event->pair->size);
        }
        break;
    }
}

static bool count_all(struct recording *recording, const struct process *of,
                      struct temporary_count *count)
{
    CLEANUP(history_walk_deinit) struct history_walk walk;
    if (!history_walk_init(&walk, &recording->database, of->id, of->counter_count, 0, of->events))
        return false;
    history_walk_tell(&walk);
    struct history_event event;
    enum rows_step step;
    while ((step = history_walk_next(&walk, &event)) == ROWS_ROW)
        count_temporary(count, &event);
    return step == ROWS_END;
}

bool history_temporary(struct recording *recording, size_t process, uint32_t n,
                       struct held **temporary)
{
    const struct process *of = &recording->processes[process];
    *temporary = memory_new(of->counter_count, sizeof **temporary);
    if (!history_is_kept(recording))
        return false;
    struct temporary_count count = {
        .n = n,
        .thread_of = memory_new(of->counter_count, sizeof *count.thread_of),
        .threads = memory_new(recording->symbols.thread_count, sizeof *count.threads),
        .thread_count = (uint32_t)recording->symbols.thread_count,
        .counter_count = of->counter_count,
        .threads_of_run = recording->symbols.threads,
        .process = of->id,
        .temporary = *temporary,
    };
    bool good = counters_read(&recording->database, of->id, take_thread, &count) &&
                count_all(recording, of, &count);
    for (uint32_t i = 0; i < count.thread_count; i++)
        free(count.threads[i].ring);
    free(count.threads);
    free(count.thread_of);
    return good;
}
