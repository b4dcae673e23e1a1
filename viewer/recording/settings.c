/*
 * Reading the table of settings.
 */
#include "viewer/recording/settings.h"

#include <stdlib.h>

#include "viewer/base/memory.h"
#include "viewer/recording/table_rows.h"

/* What a walk over the table fills. */
struct loading {
    struct recording *recording;
    json_t **settings; /* by process */
};

static bool take_setting(const void *row, void *context)
{
    const struct store_setting *setting = row;
    const struct loading *loading = context;
    const struct process *process = recording_process(loading->recording, setting->process);
    if (!process)
        return database_damaged(&loading->recording->database, "a setting of no process");
    json_t **object = &loading->settings[process - loading->recording->processes];
    if (!*object)
        *object = json_object();
    json_object_set_new(*object, setting->name, json_string(setting->value));
    return true;
}

bool settings_init(json_t ***settings, struct recording *recording)
{
    *settings = memory_new(recording->process_count, sizeof **settings);
    struct loading loading = {recording, *settings};
    return table_rows_each_if_any(&recording->database, STORE_TABLE_SETTING,
                                  "ORDER BY process, name", take_setting, &loading);
}

void settings_deinit(json_t **settings, const struct recording *recording)
{
    for (size_t i = 0; settings && i < recording->process_count; i++)
        json_decref(settings[i]);
    free(settings);
}
