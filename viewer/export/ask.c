/*
 * The question that formats with stacks ask.
 */
#include "viewer/export/export.h"

bool export_ask_stacks(struct answer *answer, struct recording *recording,
                       const struct query *query, enum group_by by, answer_visitor *visit,
                       void *context)
{
    struct query by_stack = *query;
    by_stack.by = by;
    by_stack.limit = 0;
    return answer_init_visited(answer, recording, &by_stack, visit, context);
}
