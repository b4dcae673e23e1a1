/*
 * Puts together what the parts know: growth.c the rows at the end and their shapes, query.c the
 * lifetimes by row.
 */
#include "viewer/question/lives.h"

#include <math.h>

#include "viewer/question/selection.h"

bool lives_init(struct lives *lives, struct recording *recording, const struct query *query)
{
    struct query with_lifetimes = *query;
    with_lifetimes.lifetimes = true;
    *lives = (struct lives){0};
    if (!growth_init(&lives->growth, recording, &with_lifetimes))
        return false;
    struct answer *end = &lives->growth.last;
    end->query.sort = query->sort;
    end->query.limit = query->limit;
    answer_arrange(end);
    lives->seconds = run_length(recording);
    if (end->process_count == 1) {
        const struct process *process = &recording->processes[end->processes[0]];
        double ended = isnan(process->ended) ? lives->seconds : process->ended;
        if (ended > process->started)
            lives->seconds = ended - process->started;
    }
    return true;
}

void lives_deinit(struct lives *lives)
{
    growth_deinit(&lives->growth);
}

enum shape lives_shape(const struct lives *lives, const struct row *row)
{
    enum shape shape = (enum shape)lives->growth.shapes[row->key];
    return shape == SHAPE_ONCE && row->blocks < row->allocations - row->blocks ? SHAPE_OTHER
                                                                               : shape;
}

uint64_t lifetimes_deaths(const struct lifetimes *lifetimes)
{
    int64_t deaths = 0;
    for (unsigned i = 0; i < LIFETIME_CLASSES; i++)
        deaths += lifetimes->by_age[i];
    return (uint64_t)deaths;
}

unsigned lifetimes_median(const int64_t *by_class)
{
    int64_t deaths = 0, counted = 0;
    for (unsigned i = 0; i < LIFETIME_CLASSES; i++)
        deaths += by_class[i];
    for (unsigned i = 0; i < LIFETIME_CLASSES; i++) {
        counted += by_class[i];
        if (by_class[i] && counted * 2 >= deaths)
            return i;
    }
    return LIFETIME_CLASSES;
}
