/*
 * Choosing the first N of a million: a histogram over the floating-point numbers' leading bits,
 * which are in the order of the numbers, says where to cut; nodes that are equal as far as that
 * goes are taken in the order of their numbers, parents first.
 */
#include "viewer/html/importance.h"

#include <stdlib.h>
#include <string.h>

#include "viewer/base/cleanup.h"
#include "viewer/base/memory.h"

#define CLASS_COUNT 65536u

float *importance_of(struct weights *weights, const uint32_t *parent, size_t count)
{
    float *importance = memory_new(count, sizeof *importance);
    for (size_t node = count; node-- > 1;)
        for (size_t i = 0; i < MEASURE_COUNT; i++)
            weights[parent[node]].of[i] += weights[node].of[i];
    const struct weights *whole = &weights[0];
    for (size_t node = 0; node < count; node++)
        for (size_t i = 0; i < MEASURE_COUNT; i++) {
            float share = whole->of[i] ? (float)weights[node].of[i] / (float)whole->of[i] : 0;
            importance[node] = share > importance[node] ? share : importance[node];
        }
    return importance;
}

static uint32_t class_of(float importance)
{
    uint32_t bits;
    memcpy(&bits, &importance, sizeof bits);
    return bits >> 16;
}

/* The class at which `most` nodes are reached; *room is how many of its own may be taken. */
static uint32_t last_class(const float *importance, size_t count, size_t most, size_t *room)
{
    CLEANUP(cleanup_free) size_t *counts = memory_new(CLASS_COUNT, sizeof *counts);
    for (size_t node = 0; node < count; node++)
        counts[class_of(importance[node])]++;
    uint32_t at = CLASS_COUNT;
    for (*room = most; at > 1 && counts[at - 1] <= *room; at--)
        *room -= counts[at - 1];
    return at - 1;
}

size_t importance_choose(const float *importance, size_t count, size_t most, bool *kept)
{
    size_t room, chosen = 0;
    uint32_t last = last_class(importance, count, most, &room);
    for (size_t node = 0; node < count; node++) {
        uint32_t at = class_of(importance[node]);
        kept[node] = node == 0 || (importance[node] > 0 && at > last) ||
                     (importance[node] > 0 && at == last && room > 0);
        if (kept[node] && at == last && room > 0)
            room--;
        chosen += kept[node];
    }
    return chosen;
}
