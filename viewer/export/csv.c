/*
 * All rows of a report as a table of comma-separated values.
 */
#include "viewer/base/cleanup.h"
#include "viewer/export/export.h"
#include "viewer/format/report.h"

bool export_csv(FILE *stream, struct recording *recording, const struct query *query)
{
    struct query all = *query;
    all.limit = 0;
    CLEANUP(answer_deinit) struct answer answer;
    if (!answer_init(&answer, recording, &all))
        return false;
    report_print_csv(stream, &answer);
    return true;
}
