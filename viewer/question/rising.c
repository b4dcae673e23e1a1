/*
 * Judging. A large step, as of what is loaded before anything leaks, is left out and the rest
 * judged again; then what lies behind some edges of the first half, for a load that took longer.
 * What grows by that is judged once more by what it gained above the levels that it had held for
 * long.
 */
#include "viewer/question/rising.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "viewer/base/order.h"

#define PART_COUNT 8u
/* A tick's gain counts from this part of the whole on, and a part's of the time from that. */
#define GAIN_PART 256u
#define PART_PART 64u
/* Where the floor begins and ends to rise: this part of the whole may be missing. */
#define EDGE_PART 32u
/* A row that had held so much of what it holds at the end has done no more than it did before. */
#define HELD_BEFORE 0.7
/* It must rise for this part of the wall's time since it began, and begin before this part. */
#define RISING_SHARE 3u
#define LATE_SHARE   6u
/* Of the gain, what the halves must bring. */
#define EARLIER_LEAST 0.1
#define LATER_LEAST   0.25
/* How long it may rest, in longest rests before, or as a part of all. */
#define REST_FACTOR 1.5
#define REST_PART   8.0
/* A step that is so much of all is left out, so many times. */
#define STEP_SHARE 0.3
#define STEPS_MAX  3u
/* A load ends at a multiple of so many ticks of the first half; behind it, of eight parts so many
 * must rise, and of the gain so much must come in either half. */
#define LOAD_TICKS   4u
#define LOADED_PARTS 6u
#define LOADED_LEAST 0.4
/* What is held throughout so many ticks is a level that has been reached. */
#define LEVEL_TICKS (RISING_TICKS / 4)
/* A fall takes no longer. From the last of several as high as what has been gained since, no more
 * time may have passed than this many times what lay between two. */
#define FALL_TICKS 4u
#define TOOTH_PART 1.5

struct floor {
    const struct rising_series *series;
    struct held held[RISING_TICKS + 1];
    uint64_t bytes[RISING_TICKS + 1], blocks[RISING_TICKS + 1];
    unsigned start, last;           /* edges */
    double awake[RISING_TICKS + 1]; /* time since the start, by edge */
    uint64_t base, total;
    bool is_behind_load;
};

static void find_floor(struct floor *floor)
{
    const struct held *held = floor->held;
    uint64_t bytes = UINT64_MAX, blocks = UINT64_MAX;
    for (unsigned i = RISING_TICKS + 1; i-- > 0;) {
        bytes = held[i].bytes < bytes ? held[i].bytes : bytes;
        blocks = held[i].blocks < blocks ? held[i].blocks : blocks;
        floor->bytes[i] = bytes;
        floor->blocks[i] = blocks;
    }
}

/* From the edge `from` on: where the floor begins to rise, and last rises. */
static void find_rise(struct floor *floor, unsigned from)
{
    floor->base = floor->bytes[from];
    floor->total = floor->bytes[RISING_TICKS] - floor->base;
    uint64_t slack = floor->total / EDGE_PART;
    floor->start = from;
    floor->last = RISING_TICKS;
    while (floor->start < RISING_TICKS && floor->bytes[floor->start + 1] <= floor->base + slack)
        floor->start++;
    while (floor->last > floor->start &&
           floor->bytes[floor->last - 1] + slack >= floor->bytes[RISING_TICKS])
        floor->last--;
}

static int compare_wakes(const void *a, const void *b)
{
    uint32_t one = *(const uint32_t *)a, other = *(const uint32_t *)b;
    return ORDER(one, other);
}

/* How often the process is awake in a tick in which it is, while the floor rises. */
static uint32_t usual_wakes(const struct floor *floor)
{
    uint32_t wakes[RISING_TICKS];
    unsigned count = 0;
    for (unsigned i = floor->start; i < floor->last; i++)
        if (floor->series->wakes[i])
            wakes[count++] = floor->series->wakes[i];
    if (!count)
        return 1;
    qsort(wakes, count, sizeof *wakes, compare_wakes);
    return wakes[count / 2];
}

static void find_time(struct floor *floor)
{
    double usual = usual_wakes(floor), sum = 0;
    for (unsigned i = floor->start; i <= RISING_TICKS; i++) {
        floor->awake[i] = sum;
        if (i == RISING_TICKS)
            break;
        double wakes = floor->series->wakes[i];
        bool gains = floor->bytes[i + 1] > floor->bytes[i];
        sum += wakes >= usual || (gains && !floor->series->wakes[i]) ? 1 : wakes / usual;
    }
}

static bool is_gain(const struct floor *floor, unsigned tick)
{
    return floor->bytes[tick + 1] - floor->bytes[tick] > floor->total / GAIN_PART;
}

/* The longest time between two gains. */
static double longest_rest(const struct floor *floor)
{
    double longest = 0;
    unsigned before = floor->start;
    for (unsigned i = floor->start; i < floor->last; i++) {
        if (!is_gain(floor, i))
            continue;
        double rest = floor->awake[i + 1] - floor->awake[before];
        longest = rest > longest ? rest : longest;
        before = i + 1;
    }
    return longest;
}

static bool has_held_before(const struct floor *floor)
{
    uint64_t most = 0;
    for (unsigned i = 0; i <= floor->start; i++)
        most = floor->held[i].bytes > most ? floor->held[i].bytes : most;
    return (double)most - (double)floor->base >= (double)floor->total * HELD_BEFORE;
}

static double seconds_of(const struct floor *floor, unsigned edge)
{
    const struct rising_series *series = floor->series;
    return series->from + (series->to - series->from) * edge / RISING_TICKS;
}

static bool is_short(const struct floor *floor)
{
    return seconds_of(floor, floor->last) - seconds_of(floor, floor->start) <
               floor->series->least_seconds ||
           (RISING_TICKS - floor->start) * LATE_SHARE < RISING_TICKS;
}

/* In how many parts of the time since it began a floor rises by more than `least`. */
static unsigned rising_parts(const struct floor *floor, const uint64_t *values, uint64_t least)
{
    double all = floor->awake[RISING_TICKS];
    uint64_t gained[PART_COUNT] = {0};
    unsigned rising = 0;
    for (unsigned i = floor->start; i < RISING_TICKS; i++) {
        unsigned part = (unsigned)(floor->awake[i] * PART_COUNT / all);
        gained[part < PART_COUNT ? part : PART_COUNT - 1] += values[i + 1] - values[i];
    }
    for (unsigned part = 0; part < PART_COUNT; part++)
        rising += gained[part] > least;
    return rising;
}

static bool has_stopped(const struct floor *floor)
{
    double all = floor->awake[RISING_TICKS], rest = all - floor->awake[floor->last];
    if ((floor->last - floor->start) * RISING_SHARE < RISING_TICKS - floor->start)
        return true;
    return rest > longest_rest(floor) * REST_FACTOR && rest > all / REST_PART;
}

/* What the earlier half of the time has brought, of all. */
static double earlier_share(const struct floor *floor)
{
    unsigned half = floor->start;
    while (half < RISING_TICKS && floor->awake[half] * 2 < floor->awake[RISING_TICKS])
        half++;
    return (double)(floor->bytes[half] - floor->base) / (double)floor->total;
}

/* Of one that has stopped: also when the least gain counts? */
static enum rising_verdict verdict_of_rest(const struct floor *floor)
{
    struct floor exact = *floor;
    while (exact.bytes[exact.last] < exact.bytes[RISING_TICKS])
        exact.last++;
    return has_stopped(&exact) ? RISING_STOPPED : RISING_HARDLY;
}

static enum rising_verdict verdict_of(const struct floor *floor)
{
    bool loaded = floor->is_behind_load;
    unsigned parts = loaded ? LOADED_PARTS : PART_COUNT / 2;
    double earlier_least = loaded ? LOADED_LEAST : EARLIER_LEAST;
    double later_least = loaded ? LOADED_LEAST : LATER_LEAST;
    if (floor->total < RISING_LEAST)
        return RISING_LITTLE;
    if (has_held_before(floor))
        return RISING_GIVEN_BACK;
    if (rising_parts(floor, floor->bytes, floor->total / PART_PART) < parts)
        return has_stopped(floor) ? verdict_of_rest(floor) : RISING_FEW;
    if (has_stopped(floor))
        return verdict_of_rest(floor);
    if (is_short(floor))
        return RISING_SHORT;
    double earlier = earlier_share(floor);
    if (earlier < earlier_least || earlier > 1 - later_least)
        return earlier < earlier_least ? RISING_SUDDEN : RISING_SLOWED;
    return rising_parts(floor, floor->blocks, 0) < parts ? RISING_BLOCKS : RISING_GROWS;
}

static double slope_of(const struct floor *floor)
{
    double count = floor->last - floor->start + 1, time = 0, value = 0, products = 0, squares = 0;
    for (unsigned i = floor->start; i <= floor->last; i++) {
        time += seconds_of(floor, i) / count;
        value += (double)floor->bytes[i] / count;
    }
    for (unsigned i = floor->start; i <= floor->last; i++) {
        double distance = seconds_of(floor, i) - time;
        products += distance * ((double)floor->bytes[i] - value);
        squares += distance * distance;
    }
    return squares > 0 ? products / squares : 0;
}

static struct rising judge_from(struct floor *floor, unsigned from)
{
    find_rise(floor, from);
    find_time(floor);
    return (struct rising){
        .verdict = verdict_of(floor),
        .gained = floor->total,
        .since = seconds_of(floor, floor->start),
        .last = seconds_of(floor, floor->last),
        .slope = slope_of(floor),
    };
}

/* The edge behind the largest step, where that is a large part of all; else the end. */
static unsigned behind_step(const struct floor *floor)
{
    unsigned largest = floor->start;
    for (unsigned i = floor->start; i < floor->last; i++)
        if (floor->bytes[i + 1] - floor->bytes[i] >
            floor->bytes[largest + 1] - floor->bytes[largest])
            largest = i;
    double step = (double)(floor->bytes[largest + 1] - floor->bytes[largest]);
    return step >= (double)floor->total * STEP_SHARE ? largest + 1 : RISING_TICKS;
}

/* Leaves out what was loaded in a step. */
static struct rising judge_steps(struct floor *floor)
{
    struct rising first = judge_from(floor, 0), now = first;
    for (unsigned i = 0; i < STEPS_MAX && now.verdict != RISING_GROWS; i++) {
        if (now.verdict == RISING_LITTLE || now.verdict == RISING_GIVEN_BACK)
            return first;
        unsigned from = behind_step(floor);
        if (from >= RISING_TICKS)
            return first;
        now = judge_from(floor, from);
    }
    return now.verdict == RISING_GROWS ? now : first;
}

/* Leaves out what was loaded over a while: up to the first edge behind which it grows. */
static bool grows_behind_load(struct floor *floor, struct rising *rising)
{
    bool grows = false;
    floor->is_behind_load = true;
    for (unsigned from = LOAD_TICKS; !grows && from <= RISING_TICKS / 2; from += LOAD_TICKS) {
        struct rising now = judge_from(floor, from);
        grows = now.verdict == RISING_GROWS;
        if (grows)
            *rising = now;
        if (now.verdict == RISING_LITTLE)
            break;
    }
    floor->is_behind_load = false;
    return grows;
}

static struct rising judge_floor(struct floor *floor)
{
    struct rising rising = judge_steps(floor);
    if (rising.verdict != RISING_GROWS && rising.verdict != RISING_GIVEN_BACK)
        grows_behind_load(floor, &rising);
    return rising;
}

/* The least that is held throughout the ticks behind an edge. */
static struct held level_at(const struct held *held, unsigned edge)
{
    struct held level = held[edge];
    for (unsigned i = edge + 1; i <= edge + LEVEL_TICKS; i++) {
        level.bytes = held[i].bytes < level.bytes ? held[i].bytes : level.bytes;
        level.blocks = held[i].blocks < level.blocks ? held[i].blocks : level.blocks;
    }
    return level;
}

static uint64_t raised_by(uint64_t value, uint64_t level, uint64_t most)
{
    value = value > level ? value : level;
    return value < most ? value : most;
}

/* From where a level was reached on the floor counts as no lower. */
static void raise_floor(struct floor *floor)
{
    struct held level = {0};
    for (unsigned i = 0; i <= RISING_TICKS; i++) {
        struct held now = {0};
        if (i + LEVEL_TICKS <= RISING_TICKS)
            now = level_at(floor->held, i);
        level.bytes = now.bytes > level.bytes ? now.bytes : level.bytes;
        level.blocks = now.blocks > level.blocks ? now.blocks : level.blocks;
        floor->bytes[i] = raised_by(floor->bytes[i], level.bytes, floor->bytes[RISING_TICKS]);
        floor->blocks[i] = raised_by(floor->blocks[i], level.blocks, floor->blocks[RISING_TICKS]);
    }
}

/* Is this the end of a fall by more than `least` bytes? */
static bool ends_fall(const struct held *held, unsigned edge, uint64_t least)
{
    unsigned from = edge > FALL_TICKS ? edge - FALL_TICKS : 0;
    uint64_t most = 0;
    for (unsigned i = from; i < edge; i++)
        most = held[i].bytes > most ? held[i].bytes : most;
    return most > held[edge].bytes + least && held[edge].bytes < held[edge - 1].bytes &&
           held[edge].bytes <= held[edge + 1].bytes;
}

/* Where what was gained since this edge is the beginning of a tooth, as there were before: the end
 * of the fall before this one; else 0. */
static unsigned tooth_before(const struct held *held, unsigned edge)
{
    unsigned before = 0, longest = 0;
    if (held[RISING_TICKS].bytes <= held[edge].bytes)
        return 0;
    uint64_t gained = held[RISING_TICKS].bytes - held[edge].bytes;
    if (!ends_fall(held, edge, gained))
        return 0;
    for (unsigned i = 1; i < edge; i++) {
        if (!ends_fall(held, i, gained))
            continue;
        longest = before && i - before > longest ? i - before : longest;
        before = i;
    }
    longest = edge - before > longest ? edge - before : longest;
    return RISING_TICKS - edge <= longest * TOOTH_PART ? before : 0;
}

/* What a fall leaves, and as much more as that is than what the one before it left. */
static uint64_t left_next(uint64_t left, uint64_t before)
{
    return left > before ? 2 * left - before : left;
}

/* What has been gained since the last of several falls that were as high proves nothing, for the
 * next may take it all, but for what these left behind more each time. */
static bool cut_last_tooth(struct floor *floor)
{
    struct held *held = floor->held;
    unsigned lowest = RISING_TICKS, previous = 0;
    for (unsigned i = 1; i < RISING_TICKS; i++) {
        unsigned before = held[i].bytes < held[lowest].bytes ? tooth_before(held, i) : 0;
        lowest = before ? i : lowest;
        previous = before ? before : previous;
    }
    if (!previous)
        return false;
    uint64_t bytes = left_next(held[lowest].bytes, held[previous].bytes);
    uint64_t blocks = left_next(held[lowest].blocks, held[previous].blocks);
    for (unsigned i = lowest + 1; i <= RISING_TICKS; i++) {
        held[i].bytes = raised_by(held[i].bytes, 0, bytes);
        held[i].blocks = raised_by(held[i].blocks, 0, blocks);
    }
    return true;
}

/* Does it grow also without the last tooth? */
static bool grows_without_tooth(struct floor *floor)
{
    if (!cut_last_tooth(floor))
        return true;
    find_floor(floor);
    return judge_floor(floor).verdict == RISING_GROWS;
}

struct rising rising_judge(const struct rising_series *series)
{
    struct floor floor = {.series = series};
    memcpy(floor.held, series->held, sizeof floor.held);
    find_floor(&floor);
    struct rising rising = judge_floor(&floor);
    if (rising.verdict != RISING_GROWS)
        return rising;
    if (!grows_without_tooth(&floor)) {
        rising.verdict = RISING_GIVEN_BACK;
        return rising;
    }
    raise_floor(&floor);
    return judge_floor(&floor);
}
