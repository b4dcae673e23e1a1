/*
 * Four questions to the recording, grouped alike, so that their keys are the same.
 */
#include "viewer/annotation.h"

#include <stdlib.h>

#include "viewer/cleanup.h"
#include "viewer/memory.h"

static struct query question(const struct query *query, bool cumulative)
{
    struct query asked = *query;
    asked.by = GROUP_BY_SOURCE_LINE;
    asked.cumulative = cumulative;
    asked.limit = 0;
    return asked;
}

/* Where in the figures of a line an answer's row goes. */
typedef struct row *place_of(struct line_figures *line);

static struct row *place_with_callees(struct line_figures *line)
{
    return &line->with_callees;
}

static struct row *place_at_end(struct line_figures *line)
{
    return &line->at_end;
}

static struct row *place_own(struct line_figures *line)
{
    return &line->own;
}

static void take(struct annotation *annotation, const struct answer *answer, place_of *place)
{
    for (size_t i = 0; i < answer->row_count; i++)
        *place(&annotation->lines[answer->rows[i].key]) = answer->rows[i];
}

static bool ask(struct annotation *annotation, struct recording *recording,
                const struct query *query, place_of *place)
{
    CLEANUP(answer_deinit) struct answer answer;
    if (!answer_init(&answer, recording, query))
        return false;
    take(annotation, &answer, place);
    return true;
}

static bool ask_temporary(struct annotation *annotation, struct recording *recording,
                          const struct query *query)
{
    struct query asked = question(query, false);
    asked.temporary = 1;
    asked.between = false;
    CLEANUP(answer_deinit) struct answer answer;
    if (!answer_init(&answer, recording, &asked))
        return false;
    for (size_t i = 0; i < answer.row_count; i++)
        annotation->lines[answer.rows[i].key].temporary = answer.rows[i].bytes;
    return true;
}

bool annotation_init(struct annotation *annotation, struct recording *recording,
                     const struct query *query)
{
    *annotation = (struct annotation){0};
    struct query own = question(query, false), with_callees = question(query, true);
    struct query at_end = with_callees;
    at_end.at = (struct moment){.kind = MOMENT_END};
    at_end.between = false;
    if (!answer_init(&annotation->answer, recording, &own))
        return false;
    annotation->count = annotation->answer.grouping.key_count;
    annotation->lines = memory_new(annotation->count, sizeof *annotation->lines);
    take(annotation, &annotation->answer, place_own);
    return ask(annotation, recording, &with_callees, place_with_callees) &&
           ask(annotation, recording, &at_end, place_at_end) &&
           ask_temporary(annotation, recording, query);
}

void annotation_deinit(struct annotation *annotation)
{
    answer_deinit(&annotation->answer);
    free(annotation->lines);
}
