/*
 * Nearness is the edit distance (insertions, deletions, replacements). A candidate counts as near
 * when it begins with the whole word, or when at most a third of its letters, and one in any case,
 * would have to change. Words of WORD_MAX letters and more are never near anything.
 */
#include "viewer/base/closest.h"

#include <string.h>

#define WORD_MAX 40u

static size_t size_least(size_t a, size_t b, size_t c)
{
    size_t least = a < b ? a : b;
    return least < c ? least : c;
}

static size_t edit_distance(const char *from, const char *to)
{
    size_t length = strlen(to);
    size_t row[WORD_MAX];
    for (size_t i = 0; i <= length; i++)
        row[i] = i;
    for (; *from; from++) {
        size_t diagonal = row[0]++;
        for (size_t i = 1; i <= length; i++) {
            size_t cost = diagonal + (*from != to[i - 1]);
            diagonal = row[i];
            row[i] = size_least(cost, row[i] + 1, row[i - 1] + 1);
        }
    }
    return row[length];
}

void closest_offer(struct closest *closest, const char *candidate)
{
    size_t word_length = strlen(closest->word), length = strlen(candidate);
    if (!word_length || word_length >= WORD_MAX || length >= WORD_MAX)
        return;
    size_t limit = length < 6 ? 1 : length / 3;
    size_t distance = strncmp(candidate, closest->word, word_length)
                          ? edit_distance(closest->word, candidate)
                          : 0;
    if (distance > limit || (closest->best && distance >= closest->distance))
        return;
    closest->best = candidate;
    closest->distance = distance;
}
