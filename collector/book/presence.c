/*
 * Its memory.
 */
#include "collector/book/presence.h"

void presence_deinit(struct presence *presence)
{
    mappings_deinit(&presence->ranges);
    mappings_deinit(&presence->emptied);
    vector_deinit(&presence->counters);
    index_deinit(&presence->by_counter);
    *presence = (struct presence){0};
}
