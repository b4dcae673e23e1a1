/*
 * The parts of SQLite's interface for tables that are the same for all of ours.
 */
#include "viewer/virtual_table.h"

int virtual_table_connect(sqlite3 *connection, void *declaration, int count,
                          const char *const *words, sqlite3_vtab **result, char **problem)
{
    (void)count, (void)words, (void)problem;
    int status = sqlite3_declare_vtab(connection, declaration);
    if (status != SQLITE_OK)
        return status;
    struct virtual_table *table = sqlite3_malloc(sizeof *table);
    if (!table)
        return SQLITE_NOMEM;
    *table = (struct virtual_table){.connection = connection};
    *result = &table->base;
    return SQLITE_OK;
}

int virtual_table_disconnect(sqlite3_vtab *table)
{
    sqlite3_free(table);
    return SQLITE_OK;
}

struct database virtual_table_database(const sqlite3_vtab *table)
{
    sqlite3 *connection = ((const struct virtual_table *)table)->connection;
    const char *path = sqlite3_db_filename(connection, "main");
    return (struct database){.connection = connection, .path = path ? path : ""};
}

int virtual_table_fail(sqlite3_vtab *table, const struct database *database)
{
    sqlite3_free(table->zErrMsg);
    table->zErrMsg = sqlite3_mprintf("%s", database->problem);
    return SQLITE_ERROR;
}
