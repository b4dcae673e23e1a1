/*
 * Reasons that this version does not know are kept as they are.
 */
#include "viewer/absences.h"

#include <stdlib.h>

#include "viewer/cleanup.h"
#include "viewer/recording.h"

static bool read_row(struct rows *rows, json_t *absences)
{
    CLEANUP(cleanup_free) char *reason = NULL;
    uint64_t processes;
    return rows_text(rows, 0, &reason) && rows_count(rows, 1, &processes) &&
           json_object_set_new(absences, reason, json_integer((json_int_t)processes)) == 0;
}

static bool load_table(struct recording *recording)
{
    CLEANUP(rows_deinit) struct rows rows;
    if (!rows_init(&rows, &recording->database,
                   "SELECT reason, processes FROM absence ORDER BY reason"))
        return false;
    enum rows_step step;
    while ((step = rows_next(&rows)) == ROWS_ROW)
        if (!read_row(&rows, recording->run.absences))
            return false;
    return step == ROWS_END;
}

bool absences_load(struct recording *recording)
{
    bool has;
    recording->run.absences = json_object();
    return database_has_table(&recording->database, "absence", &has) &&
           (!has || load_table(recording));
}
