/*
 * A recording's SQLite file, open for reading (database_file.h) and not trusted.
 *
 * The first thing that goes wrong is kept as one message for the user, which names the file, the
 * reason and what to do; it stays valid until database_deinit(). One thread.
 */
#ifndef HEAPLINE_VIEWER_RECORDING_DATABASE_H
#define HEAPLINE_VIEWER_RECORDING_DATABASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "viewer/base/progress.h"
#include "viewer/recording/sqlite.h"

struct database {
    sqlite3 *connection;
    const char *path;          /* not owned */
    struct progress *progress; /* is told how far long readings are; not owned, may be NULL */
    int64_t format;            /* of the recording: 1 to STORE_FORMAT */
    uint64_t skipped; /* records of its history of kinds that this version does not know, which
                       * those who have read it have passed over */
    char problem[1024];
};

/* These keep a problem, unless there is one already, and return false. `reason` is a printf format.
 * database_damaged(): what was read cannot be true. database_failed(): SQLite's last call failed.
 * database_refuse(): the file is sound, but not what is needed.
 */
bool database_refuse(struct database *database, const char *reason, ...)
    __attribute__((format(printf, 2, 3)));
bool database_damaged(struct database *database, const char *reason, ...)
    __attribute__((format(printf, 2, 3)));
bool database_failed(struct database *database);

/* Does the recording have a table of this name? Older ones lack some. False, with a problem, when
 * it cannot be read. */
bool database_has_table(struct database *database, const char *name, bool *has);

/* Has the table that column? False, with a problem, when it cannot be asked. */
bool database_has_column(struct database *database, const char *table, const char *column,
                         bool *has);

/* Rows of a query, one after the other. */
struct rows {
    struct database *database;
    sqlite3_stmt *statement;
};

/* False, with a problem, when the query cannot be asked. Needs rows_deinit() in either case. */
bool rows_init(struct rows *rows, struct database *database, const char *query);
void rows_deinit(struct rows *rows);

enum rows_step {
    ROWS_END,
    ROWS_ROW,
    ROWS_PROBLEM,
};
enum rows_step rows_next(struct rows *rows);

/* Columns of the current row. False, with a problem, when there is something else. */
bool rows_whole(struct rows *rows, int column, int64_t least, int64_t most, int64_t *number);
bool rows_count(struct rows *rows, int column, uint64_t *count); /* 0 and up */
bool rows_index(struct rows *rows, int column, uint32_t *index);
bool rows_flag(struct rows *rows, int column, bool *flag);
/* NaN stands for null. */
bool rows_seconds(struct rows *rows, int column, double *seconds);
/* Clean UTF-8 (utf8.h) that the caller frees. */
bool rows_text(struct rows *rows, int column, char **text);
/* Bytes that are valid until the next row. */
bool rows_blob(struct rows *rows, int column, const void **data, size_t *size);
bool rows_is_null(struct rows *rows, int column);

#endif
