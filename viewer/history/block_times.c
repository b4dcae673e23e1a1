/*
 * The marks of all chunks, of those that the process descends from too, in one array, which is
 * searched by halving. They are few: the clock moves every millisecond at most.
 */
#include "viewer/history/block_times.h"

#include <stdlib.h>

#include "viewer/base/cleanup.h"
#include "viewer/base/memory.h"
#include "viewer/history/history_walk.h"
#include "viewer/recording/ancestry.h"

/* The marks up to event `end`: behind it a parent goes on with the numbers that its child has. */
static void times_add(struct block_times *times, const struct history_reader *reader, uint64_t end)
{
    size_t count = times->count + reader->mark_count;
    if (count > times->capacity) {
        times->capacity = count * 2;
        times->list = memory_resize(times->list, times->capacity, sizeof *times->list);
    }
    for (uint32_t i = 0; i < reader->mark_count; i++)
        if (reader->span.first_event + reader->marks[i].event < end)
            times->list[times->count++] = (struct block_time){
                reader->span.first_block + reader->marks[i].block, reader->marks[i].time_us};
}

static bool read_times(struct block_times *times, struct database *database, uint32_t process,
                       uint32_t counters, uint64_t end)
{
    CLEANUP(history_walk_deinit) struct history_walk walk;
    if (!history_walk_init(&walk, database, process, counters, 0, end))
        return false;
    enum rows_step step;
    while ((step = history_walk_chunk(&walk)) == ROWS_ROW)
        times_add(times, &walk.reader, end);
    return step == ROWS_END;
}

bool block_times_init(struct block_times *times, struct database *database, uint32_t process,
                      uint32_t counters, uint64_t end)
{
    CLEANUP(ancestry_deinit) struct ancestry ancestry;
    *times = (struct block_times){0};
    if (!ancestry_init(&ancestry, database, process))
        return false;
    for (size_t i = 0; i < ancestry.count; i++) {
        const struct ancestor *of = &ancestry.list[i];
        if (!read_times(times, database, of->process, of->counters, of->events))
            return false;
    }
    return read_times(times, database, process, counters, end);
}

void block_times_deinit(struct block_times *times)
{
    free(times->list);
    *times = (struct block_times){0};
}

/* The last mark that is not after the block holds. */
uint64_t block_times_find(const struct block_times *times, uint64_t block)
{
    size_t low = 0, high = times->count;
    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;
        if (times->list[middle].block <= block)
            low = middle;
        else
            high = middle;
    }
    return times->count ? times->list[low].time_us : UINT64_MAX;
}
