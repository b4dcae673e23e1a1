/*
 * The table's memory and its index.
 */
#include "collector/native/native_table.h"

#include <stdlib.h>

bool native_table_init(struct native_table *table)
{
    *table = (struct native_table){.count = 1};
    return vector_reserve(&table->list, 1, sizeof(struct native_frames)) &&
           index_init(&table->by_point) && native_modules_init(&table->modules);
}

void native_table_deinit(struct native_table *table)
{
    if (table->has_symbols)
        native_symbols_deinit(&table->symbols);
    native_modules_deinit(&table->modules);
    free(table->chain_nodes.list);
    vector_deinit(&table->list);
    index_deinit(&table->by_point);
}

/* Another point of the same hash moves on to the next key. */
uint32_t *native_table_number(struct native_table *table, struct native_point point)
{
    uint64_t whose = (uint64_t)point.process << 32 | point.module;
    const uint64_t what[] = {point.offset, point.made};
    uint64_t key = index_key(&table->by_point, whose, what, sizeof what);
    for (uint32_t *number; (number = index_at(&table->by_point, key)); key++) {
        const struct native_point *known = &native_frames_at(table, *number)->point;
        if (!*number || (known->module == point.module && known->offset == point.offset &&
                         known->process == point.process && known->made == point.made))
            return number;
    }
    return NULL;
}
