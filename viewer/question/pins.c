/*
 * Which lines free most is a question that takes for ever to answer well (it is set cover). What is
 * done: of the arenas left the one that lacks the fewest lines is freed next, of those the one
 * whose lines pin most.
 */
#include "viewer/question/pins.h"

#include <stdlib.h>
#include <string.h>

#include "viewer/base/cleanup.h"
#include "viewer/base/memory.h"
#include "viewer/base/order.h"

/* More lines than that are no small set. */
#define STEPS_MAX 64u

static bool is_pinned(const struct survey_region *region)
{
    return region->kind == RESIDENT_REGION_ARENA && 2 * region->used_bytes < region->resident_bytes;
}

/* The holders of each region stand together, in order of region. */
static size_t first_holder(const struct survey *survey, size_t region)
{
    size_t low = 0, high = survey->holder_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (survey->holders[middle].region < region)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static struct pin *pin_of(struct pins *pins, uint32_t location)
{
    size_t low = 0, high = pins->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (pins->list[middle].location < location)
            low = middle + 1;
        else
            high = middle;
    }
    if (low < pins->count && pins->list[low].location == location)
        return &pins->list[low];
    pins->list = memory_room(pins->list, pins->count, sizeof *pins->list);
    memmove(&pins->list[low + 1], &pins->list[low], (pins->count - low) * sizeof *pins->list);
    pins->list[low] = (struct pin){.location = location};
    pins->count++;
    return &pins->list[low];
}

static void share_out(struct pins *pins, const struct survey *survey, size_t number, size_t first,
                      size_t holders)
{
    const struct survey_region *region = &survey->regions[number];
    uint64_t left = region->resident_bytes;
    for (size_t i = 0; i < holders; i++) {
        const struct survey_holder *holder = &survey->holders[first + i];
        struct pin *pin = pin_of(pins, holder->location);
        uint64_t share = left / (holders - i);
        left -= share;
        pin->blocks += holder->blocks;
        pin->bytes += holder->bytes;
        pin->arenas++;
        pin->pinned_bytes += share;
        pin->alone_bytes += holders == 1 ? region->resident_bytes : 0;
    }
}

static void add_region(struct pins *pins, const struct survey *survey, size_t number)
{
    const struct survey_region *region = &survey->regions[number];
    if (region->kind != RESIDENT_REGION_ARENA)
        return;
    pins->arenas++;
    pins->arena_bytes += region->resident_bytes;
    if (!is_pinned(region))
        return;
    pins->pinned++;
    pins->pinned_bytes += region->resident_bytes;
    size_t first = first_holder(survey, number);
    size_t holders = first_holder(survey, number + 1) - first;
    if (holders) {
        share_out(pins, survey, number, first, holders);
    } else {
        pins->crowded++;
        pins->crowded_bytes += region->resident_bytes;
    }
}

/* --- a set of lines ----------------------------------------------------------------------------
 */

/* An arena that is to be freed: its lines that are not yet. */
struct target {
    size_t first, holders, missing;
    uint64_t bytes;
    bool is_freed;
};

struct plan {
    const struct survey *survey;
    struct pins *pins;
    struct target *targets;
    size_t count;
    size_t *numbers; /* by holder: of its pin */
    bool *is_taken;  /* by pin */
};

static uint64_t weight_of(const struct plan *plan, const struct target *target)
{
    uint64_t weight = 0;
    for (size_t i = target->first; i < target->first + target->holders; i++)
        weight += plan->pins->list[plan->numbers[i]].pinned_bytes;
    return weight;
}

static struct target *next_target(const struct plan *plan)
{
    struct target *best = NULL;
    for (size_t i = 0; i < plan->count; i++) {
        struct target *target = &plan->targets[i];
        if (target->is_freed)
            continue;
        if (!best || target->missing < best->missing ||
            (target->missing == best->missing && weight_of(plan, target) > weight_of(plan, best)))
            best = target;
    }
    return best;
}

/* The line is freed: what has been left of arenas goes with it. */
static uint64_t take_line(struct plan *plan, size_t number)
{
    uint64_t freed = 0;
    plan->is_taken[number] = true;
    for (size_t i = 0; i < plan->count; i++) {
        struct target *target = &plan->targets[i];
        for (size_t at = target->first; at < target->first + target->holders; at++)
            target->missing -= plan->numbers[at] == number;
        if (!target->missing && !target->is_freed) {
            target->is_freed = true;
            freed += target->bytes;
        }
    }
    return freed;
}

static void add_step(struct plan *plan, size_t number)
{
    struct pins *pins = plan->pins;
    uint64_t before = pins->step_count ? pins->steps[pins->step_count - 1].freed_bytes : 0;
    pins->steps = memory_room(pins->steps, pins->step_count, sizeof *pins->steps);
    pins->steps[pins->step_count++] = (struct pin_step){
        .location = pins->list[number].location, .freed_bytes = before + take_line(plan, number)};
}

static void add_target(struct plan *plan, size_t number)
{
    size_t first = first_holder(plan->survey, number);
    size_t holders = first_holder(plan->survey, number + 1) - first;
    if (!is_pinned(&plan->survey->regions[number]) || !holders)
        return;
    for (size_t i = first; i < first + holders; i++)
        plan->numbers[i] =
            (size_t)(pin_of(plan->pins, plan->survey->holders[i].location) - plan->pins->list);
    plan->targets[plan->count++] =
        (struct target){.first = first,
                        .holders = holders,
                        .missing = holders,
                        .bytes = plan->survey->regions[number].resident_bytes};
}

/* While the pins are in order of location. */
static void make_steps(struct pins *pins, const struct survey *survey)
{
    CLEANUP(cleanup_free)
    struct target *targets = memory_new(survey->region_count, sizeof *targets);
    CLEANUP(cleanup_free) size_t *numbers = memory_new(survey->holder_count, sizeof *numbers);
    CLEANUP(cleanup_free) bool *is_taken = memory_new(pins->count, sizeof *is_taken);
    struct plan plan = {survey, pins, targets, 0, numbers, is_taken};
    for (size_t i = 0; i < survey->region_count; i++)
        add_target(&plan, i);
    for (struct target *target; pins->step_count < STEPS_MAX && (target = next_target(&plan));)
        for (size_t i = target->first; i < target->first + target->holders; i++)
            if (!is_taken[numbers[i]])
                add_step(&plan, numbers[i]);
}

static int compare_pins(const void *a, const void *b)
{
    const struct pin *left = a, *right = b;
    return ORDER(right->pinned_bytes, left->pinned_bytes) ?: ORDER(left->location, right->location);
}

void pins_init(struct pins *pins, const struct survey *survey)
{
    *pins = (struct pins){0};
    for (size_t i = 0; i < survey->region_count; i++)
        add_region(pins, survey, i);
    make_steps(pins, survey);
    if (pins->count)
        qsort(pins->list, pins->count, sizeof *pins->list, compare_pins);
}

void pins_deinit(struct pins *pins)
{
    free(pins->list);
    free(pins->steps);
}
