/*
 * The parts of SQLite's interface for tables that are the same for all of ours.
 *
 * SQLite chooses the order of a join by what tables say of their size, and a table that says
 * nothing is taken to be small: then all events would be gone through once for every stack. So a
 * table counts its rows when it is connected. Where that cannot be told, in a database that is no
 * recording, it is taken to be large, and whoever reads it learns why.
 */
#include "viewer/sql/virtual_table.h"

#include <stdlib.h>

#include "viewer/base/memory.h"

int virtual_table_register(sqlite3 *connection, const char *name, const sqlite3_module *module,
                           struct virtual_table_kind kind)
{
    struct virtual_table_kind *kept = memory_new(1, sizeof *kept);
    *kept = kind;
    return sqlite3_create_module_v2(connection, name, module, kept, free);
}

#define ROWS_UNKNOWN 1e6

static double count_rows(sqlite3 *connection, const char *query)
{
    sqlite3_stmt *statement = NULL;
    double rows = ROWS_UNKNOWN;
    if (sqlite3_prepare_v2(connection, query, -1, &statement, NULL) == SQLITE_OK &&
        sqlite3_step(statement) == SQLITE_ROW)
        rows = sqlite3_column_double(statement, 0);
    sqlite3_finalize(statement);
    return rows > 1 ? rows : 1;
}

int virtual_table_connect(sqlite3 *connection, void *kind, int count, const char *const *words,
                          sqlite3_vtab **result, char **problem)
{
    (void)count, (void)words, (void)problem;
    const struct virtual_table_kind *of = kind;
    int status = sqlite3_declare_vtab(connection, of->declaration);
    if (status != SQLITE_OK)
        return status;
    struct virtual_table *table = sqlite3_malloc(sizeof *table);
    if (!table)
        return SQLITE_NOMEM;
    *table = (struct virtual_table){
        .connection = connection,
        .progress = of->progress,
        .rows = count_rows(connection, of->row_count),
    };
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
    const struct virtual_table *of = (const struct virtual_table *)table;
    const char *path = sqlite3_db_filename(of->connection, "main");
    return (struct database){
        .connection = of->connection, .path = path ? path : "", .progress = of->progress};
}

int virtual_table_fail(sqlite3_vtab *table, const struct database *database)
{
    sqlite3_free(table->zErrMsg);
    table->zErrMsg = sqlite3_mprintf("%s", database->problem);
    return SQLITE_ERROR;
}
