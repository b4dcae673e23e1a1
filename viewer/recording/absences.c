/*
 * Reasons that this version does not know are kept as they are.
 */
#include "viewer/recording/absences.h"

#include <stdlib.h>

#include "viewer/base/cleanup.h"

static bool read_row(struct rows *rows, void *absences)
{
    CLEANUP(cleanup_free) char *reason = NULL;
    uint64_t processes;
    return rows_text(rows, 0, &reason) && rows_count(rows, 1, &processes) &&
           json_object_set_new(absences, reason, json_integer((json_int_t)processes)) == 0;
}

bool absences_load(struct recording *recording)
{
    recording->run.absences = json_object();
    return rows_read_table(&recording->database, "absence",
                           "SELECT reason, processes FROM absence ORDER BY reason", read_row,
                           recording->run.absences);
}
