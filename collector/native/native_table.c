/*
 * The table's memory and its index.
 */
#include "collector/native/native_table.h"

#include <stdlib.h>

bool native_table_init(struct native_table *table)
{
    *table = (struct native_table){.count = 1};
    return vector_reserve(&table->list, 1, sizeof(struct native_frames)) &&
           index_init(&table->by_place) && native_modules_init(&table->modules);
}

void native_table_deinit(struct native_table *table)
{
    if (table->has_symbols)
        native_symbols_deinit(&table->symbols);
    native_modules_deinit(&table->modules);
    free(table->chain_nodes.list);
    vector_deinit(&table->list);
    index_deinit(&table->by_place);
}

/* Another place of the same hash moves on to the next key. */
uint32_t *native_table_number(struct native_table *table, struct native_place place)
{
    uint64_t whose = (uint64_t)place.process << 32 | place.module;
    const uint64_t what[] = {place.offset, place.made};
    uint64_t key = index_key(&table->by_place, whose, what, sizeof what);
    for (uint32_t *number; (number = index_at(&table->by_place, key)); key++) {
        const struct native_place *known = &native_frames_at(table, *number)->place;
        if (!*number || (known->module == place.module && known->offset == place.offset &&
                         known->process == place.process && known->made == place.made))
            return number;
    }
    return NULL;
}
