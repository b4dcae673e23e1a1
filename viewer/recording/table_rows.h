/*
 * Rows of a recording's tables, read into the structs of store_rows.h.
 *
 * Every value is looked at: one that its column cannot have is damage. Texts are clean UTF-8
 * (utf8.h); they and bytes are valid until the next row. One thread.
 */
#ifndef HEAPLINE_VIEWER_RECORDING_TABLE_ROWS_H
#define HEAPLINE_VIEWER_RECORDING_TABLE_ROWS_H

#include "store_rows.h"
#include "viewer/recording/database.h"

/* The most columns of text that a table has. */
#define TABLE_TEXTS_MAX 4u

struct table_rows {
    struct rows rows;
    const struct store_table *table;
    char *texts[TABLE_TEXTS_MAX]; /* of the row at hand */
};

/* Asks for the rows of a table. `from`: what older recordings have in its place, a table or a query
 * in parentheses; NULL: the table itself. `rest`: the query from WHERE on. False, with a problem,
 * when that cannot be asked. Needs table_rows_deinit() in either case. */
bool table_rows_init(struct table_rows *rows, struct database *database,
                     enum store_table_number number, const char *from, const char *rest);
void table_rows_deinit(struct table_rows *rows);

/* The next row; `row` is the table's struct. */
enum rows_step table_rows_next(struct table_rows *rows, void *row);

/* Hands each row to `take`, in the order that `rest` says. False, with a problem, when one cannot
 * be had, or when `take` gives up, which has left the problem then. */
typedef bool row_taker(const void *row, void *context);
bool table_rows_each(struct database *database, enum store_table_number number, const char *from,
                     const char *rest, row_taker *take, void *context);

/* The same of a table that older recordings lack: then there is no row. */
bool table_rows_each_if_any(struct database *database, enum store_table_number number,
                            const char *rest, row_taker *take, void *context);

#endif
