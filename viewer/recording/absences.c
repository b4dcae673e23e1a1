/*
 * Reasons that this version does not know are kept as they are.
 */
#include "viewer/recording/absences.h"

#include "viewer/recording/table_rows.h"

static bool take_absence(const void *row, void *absences)
{
    const struct store_absence *absence = row;
    return json_object_set_new(absences, absence->reason,
                               json_integer((json_int_t)absence->processes)) == 0;
}

bool absences_load(struct recording *recording)
{
    recording->run.absences = json_object();
    return table_rows_each_if_any(&recording->database, STORE_TABLE_ABSENCE, "ORDER BY reason",
                                  take_absence, recording->run.absences);
}
