/*
 * Reading an SQLite file that may be cut short, damaged or somebody else's.
 *
 * Failures become one sentence in `problem`. Values are looked at as they are read: what a column
 * holds and what it could be, texts by their bytes (utf8.h).
 */
#include "viewer/recording/database.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>

#include "viewer/base/cleanup.h"
#include "viewer/base/utf8.h"

bool database_refuse(struct database *database, const char *reason, ...)
{
    if (*database->problem)
        return false;
    va_list arguments;
    va_start(arguments, reason);
    vsnprintf(database->problem, sizeof database->problem, reason, arguments);
    va_end(arguments);
    return false;
}

bool database_damaged(struct database *database, const char *reason, ...)
{
    char text[256];
    va_list arguments;
    va_start(arguments, reason);
    vsnprintf(text, sizeof text, reason, arguments);
    va_end(arguments);
    return database_refuse(database,
                           "%s is damaged (%s); copy it again from where it was made, or record "
                           "the program again",
                           database->path, text);
}

bool database_failed(struct database *database)
{
    switch (sqlite3_errcode(database->connection)) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return database_refuse(database, "%s is locked by another program; try again later",
                               database->path);
    case SQLITE_NOMEM:
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN:
    case SQLITE_READONLY:
    case SQLITE_PERM:
        return database_refuse(database, "cannot read %s: %s; copy it to a folder of your own",
                               database->path, sqlite3_errmsg(database->connection));
    default:
        /* Not sqlite3_errmsg(), which may quote what it stumbled over. */
        return database_damaged(database, "%s",
                                sqlite3_errstr(sqlite3_errcode(database->connection)));
    }
}

bool rows_init(struct rows *rows, struct database *database, const char *query)
{
    *rows = (struct rows){.database = database};
    if (sqlite3_prepare_v2(database->connection, query, -1, &rows->statement, NULL) == SQLITE_OK)
        return true;
    return database_failed(database);
}

void rows_deinit(struct rows *rows)
{
    sqlite3_finalize(rows->statement);
    rows->statement = NULL;
}

enum rows_step rows_next(struct rows *rows)
{
    int result = sqlite3_step(rows->statement);
    if (result == SQLITE_ROW)
        return ROWS_ROW;
    if (result == SQLITE_DONE)
        return ROWS_END;
    database_failed(rows->database);
    return ROWS_PROBLEM;
}

static bool rows_wrong(struct rows *rows, int column)
{
    return database_damaged(rows->database, "a wrong value in %s",
                            sqlite3_column_name(rows->statement, column));
}

bool rows_whole(struct rows *rows, int column, int64_t least, int64_t most, int64_t *number)
{
    if (sqlite3_column_type(rows->statement, column) != SQLITE_INTEGER)
        return rows_wrong(rows, column);
    *number = sqlite3_column_int64(rows->statement, column);
    return (*number >= least && *number <= most) || rows_wrong(rows, column);
}

bool rows_count(struct rows *rows, int column, uint64_t *count)
{
    int64_t number = 0;
    if (!rows_whole(rows, column, 0, INT64_MAX, &number))
        return false;
    *count = (uint64_t)number;
    return true;
}

bool rows_index(struct rows *rows, int column, uint32_t *index)
{
    int64_t number = 0;
    if (!rows_whole(rows, column, 0, UINT32_MAX, &number))
        return false;
    *index = (uint32_t)number;
    return true;
}

bool rows_flag(struct rows *rows, int column, bool *flag)
{
    int64_t number = 0;
    if (!rows_whole(rows, column, 0, 1, &number))
        return false;
    *flag = number;
    return true;
}

bool rows_seconds(struct rows *rows, int column, double *seconds)
{
    *seconds = NAN;
    if (rows_is_null(rows, column))
        return true;
    if (sqlite3_column_type(rows->statement, column) != SQLITE_FLOAT)
        return rows_wrong(rows, column);
    *seconds = sqlite3_column_double(rows->statement, column);
    return fabs(*seconds) < 1e11 || rows_wrong(rows, column);
}

bool rows_text(struct rows *rows, int column, char **text)
{
    if (sqlite3_column_type(rows->statement, column) != SQLITE_TEXT)
        return rows_wrong(rows, column);
    const char *data = (const char *)sqlite3_column_text(rows->statement, column);
    if (!data)
        return database_failed(rows->database);
    *text = utf8_clean(data, (size_t)sqlite3_column_bytes(rows->statement, column));
    return true;
}

bool rows_blob(struct rows *rows, int column, const void **data, size_t *size)
{
    if (sqlite3_column_type(rows->statement, column) != SQLITE_BLOB)
        return rows_wrong(rows, column);
    *data = sqlite3_column_blob(rows->statement, column);
    *size = (size_t)sqlite3_column_bytes(rows->statement, column);
    return *data || rows_wrong(rows, column);
}

bool rows_is_null(struct rows *rows, int column)
{
    return sqlite3_column_type(rows->statement, column) == SQLITE_NULL;
}

bool database_has_table(struct database *database, const char *name, bool *has)
{
    CLEANUP(rows_deinit) struct rows rows;
    if (!rows_init(&rows, database,
                   "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = ?1"))
        return false;
    sqlite3_bind_text(rows.statement, 1, name, -1, SQLITE_STATIC);
    return rows_next(&rows) == ROWS_ROW && rows_flag(&rows, 0, has);
}

bool database_has_column(struct database *database, const char *table, const char *column,
                         bool *has)
{
    CLEANUP(rows_deinit) struct rows rows;
    if (!rows_init(&rows, database, "SELECT count(*) FROM pragma_table_info(?1) WHERE name = ?2"))
        return false;
    sqlite3_bind_text(rows.statement, 1, table, -1, SQLITE_STATIC);
    sqlite3_bind_text(rows.statement, 2, column, -1, SQLITE_STATIC);
    return rows_next(&rows) == ROWS_ROW && rows_flag(&rows, 0, has);
}
