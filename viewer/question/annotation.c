/*
 * Four questions to the recording, grouped alike, so that their keys are the same. Where native
 * frames were recorded, what a line itself did is asked for twice: for its own sake, and for the
 * innermost lines of Python.
 */
#include "viewer/question/annotation.h"

#include <stdlib.h>

#include "viewer/base/cleanup.h"
#include "viewer/base/memory.h"

#define QUESTION_COUNT   4u
#define QUESTIONS_NATIVE 6u

static struct query question_of(const struct query *query, bool cumulative)
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

/* `python`: of Python's lines alone. */
static void take(struct annotation *annotation, const struct answer *answer, place_of *place,
                 bool python)
{
    for (size_t i = 0; i < answer->row_count; i++)
        if (!python || frame_is_python(grouping_frame(&answer->grouping, answer->rows[i].key)))
            *place(&annotation->lines[answer->rows[i].key]) = answer->rows[i];
}

static bool annotation_ask(struct annotation *annotation, struct recording *recording,
                           const struct query *query, place_of *place)
{
    CLEANUP(answer_deinit) struct answer answer;
    if (!answer_init(&answer, recording, query))
        return false;
    take(annotation, &answer, place, query->blame == BLAME_PYTHON);
    return true;
}

static struct row *place_temporary(struct line_figures *line)
{
    return &line->temporary;
}

/* What lines of Python did themselves, or native code for them; without any it has been said. */
static bool ask_python(struct annotation *annotation, struct recording *recording,
                       struct query query, place_of *place)
{
    query.blame = BLAME_PYTHON;
    return !recording->symbols.module_count || annotation_ask(annotation, recording, &query, place);
}

static bool ask_all(struct annotation *annotation, struct recording *recording,
                    const struct query *query)
{
    struct query own = question_of(query, false), with_callees = question_of(query, true);
    struct query at_end = with_callees, temporary = own;
    at_end.at = (struct moment){.kind = MOMENT_END};
    at_end.between = temporary.between = false;
    temporary.temporary = 1;
    if (!answer_init(&annotation->answer, recording, &own))
        return false;
    annotation->count = annotation->answer.grouping.key_count;
    annotation->lines = memory_new(annotation->count, sizeof *annotation->lines);
    take(annotation, &annotation->answer, place_own, false);
    return ask_python(annotation, recording, own, place_own) &&
           annotation_ask(annotation, recording, &with_callees, place_with_callees) &&
           annotation_ask(annotation, recording, &at_end, place_at_end) &&
           annotation_ask(annotation, recording, &temporary, place_temporary) &&
           ask_python(annotation, recording, temporary, place_temporary);
}

bool annotation_init(struct annotation *annotation, struct recording *recording,
                     const struct query *query)
{
    struct progress *progress = recording->database.progress;
    *annotation = (struct annotation){0};
    progress_begin(progress, "reading the recording",
                   recording->symbols.module_count ? QUESTIONS_NATIVE : QUESTION_COUNT);
    bool good = ask_all(annotation, recording, query);
    progress_end(progress);
    return good;
}

void annotation_deinit(struct annotation *annotation)
{
    answer_deinit(&annotation->answer);
    free(annotation->lines);
}
