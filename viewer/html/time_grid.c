/*
 * The n-th of the even edges stays as long as 2 to the level divides n.
 */
#include "viewer/html/time_grid.h"

#include <stdbool.h>
#include <stdlib.h>

#include "viewer/base/memory.h"
#include "viewer/base/order.h"

#define LEVEL_PINNED TIME_GRID_LEVELS

struct edge {
    uint64_t time;
    uint8_t level;
};

static int compare_edges(const void *a, const void *b)
{
    const struct edge *one = a, *other = b;
    return ORDER(one->time, other->time) ?: ORDER(other->level, one->level);
}

static uint8_t level_of(size_t number, size_t buckets)
{
    if (number == 0 || number == buckets)
        return LEVEL_PINNED;
    return (uint8_t)__builtin_ctzll(number);
}

void time_grid_init(struct time_grid *grid, uint64_t length_us, size_t buckets,
                    const uint64_t *pinned, size_t pinned_count)
{
    struct edge *edges = memory_new(buckets + 1 + pinned_count, sizeof *edges);
    size_t count = 0;
    for (size_t i = 0; i <= buckets; i++)
        edges[count++] = (struct edge){
            .time = (uint64_t)((double)length_us * (double)i / (double)buckets),
            .level = level_of(i, buckets),
        };
    for (size_t i = 0; i < pinned_count; i++)
        if (pinned[i] <= length_us)
            edges[count++] = (struct edge){pinned[i], LEVEL_PINNED};
    qsort(edges, count, sizeof *edges, compare_edges);
    *grid = (struct time_grid){
        .edges = memory_new(count + 1, sizeof *grid->edges),
        .levels = memory_new(count + 1, sizeof *grid->levels),
    };
    for (size_t i = 0; i < count; i++) {
        if (i && edges[i].time == edges[i - 1].time)
            continue;
        grid->edges[grid->count] = edges[i].time;
        grid->levels[grid->count++] = edges[i].level;
    }
    if (grid->count == 1) { /* a run of no length */
        grid->edges[grid->count] = grid->edges[0] + 1;
        grid->levels[grid->count++] = LEVEL_PINNED;
    }
    free(edges);
}

void time_grid_deinit(struct time_grid *grid)
{
    free(grid->edges);
    free(grid->levels);
}

size_t time_grid_buckets(const struct time_grid *grid, unsigned level)
{
    size_t buckets = 0;
    for (size_t i = 0; i + 1 < grid->count; i++)
        buckets += grid->levels[i] >= level;
    return buckets;
}

uint32_t *time_grid_map(const struct time_grid *grid, unsigned level)
{
    uint32_t *map = memory_new(grid->count, sizeof *map);
    uint32_t bucket = 0;
    for (size_t i = 0; i + 1 < grid->count; i++) {
        bucket += i && grid->levels[i] >= level;
        map[i] = bucket;
    }
    return map;
}
