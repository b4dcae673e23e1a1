/*
 * Four questions to the recording, grouped alike, so that their keys are the same. Where native
 * frames were recorded, what a line itself did is asked for twice: for its own sake, and for the
 * innermost lines of Python.
 */
#include "viewer/question/annotation.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

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

/* `member`: where an answer's rows go in the figures of their lines; `python`: Python's lines
 * alone. */
static void take_rows(struct annotation *annotation, const struct answer *answer, size_t member,
                      bool python)
{
    for (size_t i = 0; i < answer->row_count; i++) {
        void *line = &annotation->lines[answer->rows[i].key];
        if (!python || frame_is_python(grouping_frame(&answer->grouping, answer->rows[i].key)))
            memcpy((char *)line + member, &answer->rows[i], sizeof answer->rows[i]);
    }
}

static bool annotation_ask(struct annotation *annotation, struct recording *recording,
                           const struct query *query, size_t member)
{
    CLEANUP(answer_deinit) struct answer answer;
    if (!answer_init(&answer, recording, query))
        return false;
    take_rows(annotation, &answer, member, query->blame == BLAME_PYTHON);
    return true;
}

/* What lines of Python did themselves, or native code for them; without any it has been said. */
static bool ask_python(struct annotation *annotation, struct recording *recording,
                       struct query query, size_t member)
{
    query.blame = BLAME_PYTHON;
    return !recording->symbols.module_count ||
           annotation_ask(annotation, recording, &query, member);
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
    take_rows(annotation, &annotation->answer, offsetof(struct line_figures, own), false);
    return ask_python(annotation, recording, own, offsetof(struct line_figures, own)) &&
           annotation_ask(annotation, recording, &with_callees,
                          offsetof(struct line_figures, with_callees)) &&
           annotation_ask(annotation, recording, &at_end, offsetof(struct line_figures, at_end)) &&
           annotation_ask(annotation, recording, &temporary,
                          offsetof(struct line_figures, temporary)) &&
           ask_python(annotation, recording, temporary, offsetof(struct line_figures, temporary));
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
