/*
 * The columns of every table, with where they stand in its struct.
 */
#include "store_rows.h"

#define ALWAYS(kind, name, row)   {#name, offsetof(struct row, name), STORE_##kind, false},
#define OPTIONAL(kind, name, row) {#name, offsetof(struct row, name), STORE_##kind, true},

#define COLUMNS(TABLE, name)                                                                       \
    static const struct store_column columns_of_##name[] = {                                       \
        STORE_##TABLE##_COLUMNS(ALWAYS, OPTIONAL, store_##name)};
STORE_TABLES(COLUMNS)

#define DESCRIPTION(TABLE, name)                                                                   \
    [STORE_TABLE_##TABLE] = {#name, columns_of_##name,                                             \
                             sizeof columns_of_##name / sizeof *columns_of_##name,                 \
                             sizeof(struct store_##name)},
const struct store_table store_tables[STORE_TABLE_COUNT] = {STORE_TABLES(DESCRIPTION)};
