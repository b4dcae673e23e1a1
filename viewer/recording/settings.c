/*
 * Reading the table of settings.
 */
#include "viewer/recording/settings.h"

#include <stdlib.h>

#include "viewer/base/cleanup.h"
#include "viewer/base/memory.h"

static bool read_setting(json_t **settings, struct recording *recording, struct rows *rows)
{
    uint32_t id;
    CLEANUP(cleanup_free) char *name = NULL;
    CLEANUP(cleanup_free) char *value = NULL;
    if (!rows_index(rows, 0, &id) || !rows_text(rows, 1, &name) || !rows_text(rows, 2, &value))
        return false;
    struct process *process = recording_process(recording, id);
    if (!process)
        return database_damaged(&recording->database, "a setting of no process");
    json_t **object = &settings[process - recording->processes];
    if (!*object)
        *object = json_object();
    json_object_set_new(*object, name, json_string(value));
    return true;
}

static bool settings_load(json_t **settings, struct recording *recording)
{
    CLEANUP(rows_deinit) struct rows rows;
    if (!rows_init(&rows, &recording->database,
                   "SELECT process, name, value FROM setting ORDER BY process, name"))
        return false;
    enum rows_step step;
    while ((step = rows_next(&rows)) == ROWS_ROW)
        if (!read_setting(settings, recording, &rows))
            return false;
    return step == ROWS_END;
}

bool settings_init(json_t ***settings, struct recording *recording)
{
    bool has;
    *settings = memory_new(recording->process_count, sizeof **settings);
    return database_has_table(&recording->database, "setting", &has) &&
           (!has || settings_load(*settings, recording));
}

void settings_deinit(json_t **settings, const struct recording *recording)
{
    for (size_t i = 0; settings && i < recording->process_count; i++)
        json_decref(settings[i]);
    free(settings);
}
